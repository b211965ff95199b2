"""The tables of a comparison as text, for Markdown, LaTeX and the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from medtransfer.comparison.ensembles import ensembles_note
from medtransfer.comparison.maps import maps_legend
from medtransfer.comparison.margins import in_words
from medtransfer.comparison.results import POINTING, Comparison
from medtransfer.comparison.rows import best_of_each_backbone, is_tied
from medtransfer.comparison.tables import tables_of
from medtransfer.deployment.explain.methods import METHODS
from medtransfer.statistics.metrics import METRICS, phrase_of, title_of
from medtransfer.util.text import MISSING, in_figures, is_missing, visible, with_interval


@dataclass(frozen=True)
class Cell:
    """A cell of a table. number: that by which the report sorts, None in a column of words; interval: that below it."""

    text: str
    number: Any = None
    interval: str = ""

    def __str__(self) -> str:
        return f"{self.text} {self.interval}".rstrip()


Row = dict[str, Any]
Column = tuple[str, Callable[[Row], Cell]]
"""The header of a column, and how its cells are made from the row of a table of results."""


@dataclass(frozen=True)
class TextTable:
    """A table as text, with its title and the note below it.

    rows: cells, the first `left` of which are names. note: one line per part. marked: the mark of each
    row's name; empty for none.
    """

    title: str
    header: list[str]
    rows: list[list[Cell]]
    note: str = ""
    marked: tuple[str, ...] = ()
    left: int = 1

    @property
    def marks(self) -> tuple[str, ...]:
        """The mark of each row: `tied`, `baseline` or nothing."""
        return self.marked or ("",) * len(self.rows)

    @classmethod
    def of(
        cls, title: str, table: pd.DataFrame, columns: Sequence[Column], note: str = "", left: int = 1, **others: Any
    ) -> TextTable:
        """Write the rows of a table of results."""
        rows = [[cell(row) for _, cell in columns] for row in table.to_dict("records")]
        return cls(title, [header for header, _ in columns], rows, note, left=left, **others)


def text_tables(found: Comparison) -> list[TextTable]:
    """Return the tables that apply, the main one first."""
    parts = [
        _main(found),
        _best(found),
        ensembles(found),
        _effects(found),
        _calibration(found),
        operating_points(found),
    ]
    parts += [maps(found), _agreement(found), _ranges(found), _images(found)]
    parts += [_external(found), _operating_elsewhere(found), _subgroups(found), _published(found)]
    return [part for part in parts if part.rows]


def in_millions(value: Any) -> str:
    """Format a count in millions, or as `–` if it is missing."""
    if is_missing(value):
        return MISSING
    return f"{value / 1e6:,.2f} M" if value < 1e8 else f"{value / 1e6:,.0f} M"


def in_probability(p: Any) -> str:
    """Format a p value."""
    return MISSING if pd.isna(p) else "< .001" if p < 0.001 else in_figures(float(p))


def _text(header: str, write: Callable[[Row], str]) -> Column:
    return header, lambda row: Cell(write(row))


def _word(header: str, name: str) -> Column:
    return _text(header, lambda row: str(row[name]))


def _figure(header: str, name: str, digits: int = 3) -> Column:
    return header, lambda row: Cell(in_figures(row[name], digits), row[name])


def _interval(header: str, name: str, ends: str = "{}_{}") -> Column:
    return header, lambda row: _with_interval(row, name, ends)


def _with_interval(row: Any, name: str, ends: str = "{}_{}") -> Cell:
    text, _, interval = with_interval(row, name, ends).partition(" ")
    return Cell(text, row.get(name), interval)


def _p(p: Any) -> Cell:
    return Cell(in_probability(p), p)


def _sizes(*names: str) -> list[Column]:
    return [(SIZES[name], partial(_size, name)) for name in names]


def _size(name: str, row: Row) -> Cell:
    return Cell(in_millions(row.get(name)), row.get(name))


SIZES = {"parameters": "Parameters", "trainable_parameters": "trained", "multiply_adds": "Multiply-adds"}
RATES = [_interval(rate.capitalize(), rate) for rate in ("sensitivity", "specificity", "precision")]
VARIANT, SET = _word("Variant", "variant"), _word("Test set", "set")
CORRECTED: Column = ("p", lambda row: _p(row["p_corrected"]))


def _main(found: Comparison) -> TextTable:
    metric, best = found.metric, found.verdict.best
    outcomes = found.margins.set_index("variant")["outcome"].dropna()
    judged: list[Column] = []
    if len(outcomes):
        margin = f"Margin {in_figures(found.verdict.margin)}"
        judged = [_text(margin, lambda row: outcomes.get(row["variant"], MISSING))]
    columns: list[Column] = [
        VARIANT,
        _interval(title_of(metric, found.unit), metric),
        _figure("SD runs", f"{metric}_sd"),
        _figure("SE images", f"{metric}_se"),
        ("p", lambda row: Cell("best") if row["variant"] == best else _p(row["p_corrected"])),
        *judged,
        _figure("Validation", f"{metric}_validation"),
        *(_interval(title_of(name, found.unit), name) for name in found.metrics[1:]),
        *_sizes(*SIZES),
    ]
    table = found.table[found.table["kind"] != "published"]
    marks = [
        "baseline" if row["kind"] == "baseline" else "tied" if is_tied(row) else "" for row in table.to_dict("records")
    ]
    return TextTable.of("All variants", table, columns, _legend(found), marked=tuple(marks))


def _legend(found: Comparison) -> str:
    title, confidence, test = phrase_of(found.metric), f"{found.confidence:.0%}", found.test
    level = f"{1 - found.confidence:.2g}".removeprefix("0")
    lines = [
        f"Value [{confidence} interval]: bootstrap over the test set's {test['groups']} groups ({test['images']} "
        f"images), {test['resamples']} resamples, quantiles of Student's t on a scale without bounds: the logit of "
        "shares, the logarithm of errors; if groups differ in size, standard errors leave out each group in turn "
        "(CR3).",
        f"SD runs: standard deviation of {title} over trainings. SE images: standard error over test images.",
        "p: of the paired difference from the best, corrected by Holm's rule over all pairs of variants; if it is "
        f"{level} or more, the variant is tied with the best (=).",
        *in_words(found.margins, found.metric, found.verdict.recommended),
        f"Validation: {title} on the images that training and selection were judged by.",
        "Baselines (in italics) train no network.",
        tables_of(found.study.params.study.task).legend(found.about).strip(),
        "All pairs: `metrics/tables/pairs.csv`. Cost: `metrics/cost.md`.",
    ]
    return "\n".join(line for line in lines if line)


def ensembles(found: Comparison) -> TextTable:
    """List means of several variants or views."""
    columns = [
        _word("Ensemble", "ensemble"),
        _word("Members", "members"),
        *(_interval(title_of(name, found.unit), name) for name in found.metrics),
        _interval("Difference", "difference"),
        CORRECTED,
        *_sizes("parameters", "multiply_adds"),
    ]
    return TextTable.of("Ensembles", found.ensembles, columns, ensembles_note(found.ensembles, found.metric))


def _best(found: Comparison) -> TextTable:
    columns = [_word("Backbone", "backbone"), _word("Best variant", "variant")]
    columns += [_interval(title_of(found.metric, found.unit), found.metric), *_sizes("parameters", "multiply_adds")]
    return TextTable.of("The best variant of each backbone", best_of_each_backbone(found.table), columns, left=2)


def _effects(found: Comparison) -> TextTable:
    columns = [
        *(_word(header, header.lower()) for header in ("Factor", "A", "B", "Contexts")),
        _interval("A - B", "difference", ends="{1}"),
        *(_figure(name, name) for name in ("smallest", "largest")),
        CORRECTED,
    ]
    note = (
        f"Differences in {phrase_of(found.metric)} between variants that differ in the factor alone, averaged over the "
        "contexts (the rest of a variant) in which both levels occur. p: corrected by Holm's rule."
    )
    effects = found.effects[found.effects["metric"] == found.metric]
    return TextTable.of("Effects of each factor, all else equal", effects, columns, note, left=3)


def _calibration(found: Comparison) -> TextTable:
    def null(row: Row) -> str:
        return f"{in_figures(row['ece_null'])} (< {in_figures(row['ece_null_high'])})"

    columns: list[Column] = [VARIANT, _figure("ECE", "ece"), _text("if calibrated", null)]
    columns += [_figure("Log loss", "log_loss"), _figure("Brier", "brier"), _figure("T", "temperature", 2)]
    columns += [_figure("ECE at T", "ece_scaled"), _figure("Log loss at T", "log_loss_scaled")]
    columns += [_figure("Brier at T", "brier_scaled")]
    note = (
        "Expected calibration error (ECE, 15 bins), and that of a calibrated model on as many images: its mean and, "
        f"in parentheses, its {found.confidence:.0%} quantile. T: temperature fitted on validation rows."
    )
    strategies = {name: found.study.variant(name).strategy for name in found.study.variants}
    if squared := [name for name, strategy in strategies.items() if strategy.loss.kind == "squared_error"]:
        note += (
            f" {', '.join(squared)}: the loss squared_error trains the mean grade, not the probability of each grade; "
            "their calibration says nothing of their grades."
        )
    return TextTable.of("Calibration", found.calibration, columns, note)


def operating_points(found: Comparison) -> TextTable:
    """List test results at thresholds that were chosen on validation rows."""
    columns = [VARIANT, _word("Rule", "rule"), _figure("Threshold", "threshold"), *RATES]
    note = (
        f"Threshold on the probability of {found.classes[-1] if found.classes else ''}, chosen on validation rows: 0.5 "
        "(half), the largest sensitivity + specificity (youden), a sensitivity of at least 95 % (sensitivity_95)."
    )
    return TextTable.of("Operating points", found.operating, columns, note, left=2)


def _subgroups(found: Comparison) -> TextTable:
    header = ["Variant", "Test set", "Subgroup", "Worst", "Best", "Largest gap", "p"]
    rows = []
    of_metric = found.subgroups[found.subgroups["metric"] == found.metric]
    gaps = found.gaps[found.gaps["metric"] == found.metric].set_index(["set", "subgroup", "variant"])
    for (place, name, variant), part in of_metric.groupby(["set", "subgroup", "variant"], sort=False):
        order = part.dropna(subset="value").sort_values("value", ascending=not METRICS[found.metric].lower_is_better)
        ends = [_level(row) for row in order.iloc[[0, -1]].to_dict("records")] if len(order) else [MISSING, MISSING]
        gap = gaps.loc[(place, name, variant)] if (place, name, variant) in gaps.index else None
        told = [Cell(MISSING)] * 2 if gap is None else [_with_interval(gap, "gap"), _p(gap["p_corrected"])]
        rows.append([*map(Cell, (str(variant), str(place), str(name), *ends)), *told])
    return TextTable("Subgroups", header, rows, subgroups_note(found), left=3)


def _level(row: dict[str, Any]) -> str:
    return f"{row['level']}{' (few)' if row['few'] else ''}: {with_interval(row, 'value')}"


def subgroups_note(found: Comparison) -> str:
    """Explain gaps and their test, and list the subgroups that are too small."""
    few = found.subgroups[found.subgroups["few"].astype(bool)].drop_duplicates(["set", "subgroup", "level"])
    small = ", ".join(f"{row['subgroup']} {row['level']} ({row['groups']})" for row in few.to_dict("records"))
    return (
        "Largest gap: between two levels of a subgroup, with an interval for all of its pairs at once; p: Welch's "
        "test, corrected by Holm's rule over all subgroups, levels and variants of a test set."
        + (f" Too few groups to measure a gap: {small}." if small else "")
        + " All metrics: `metrics/tables/subgroups.csv` and `gaps.csv`."
    )


def _external(found: Comparison) -> TextTable:
    columns = [VARIANT, SET, _interval(title_of(found.metric, found.unit), "value"), _interval("Drop", "drop")]
    if (there := found.external_tables.get("calibration")) is not None:
        columns += [
            ("ECE", lambda row: _calibration_error(there[there["set"] == row["set"]], row)),
            ("ECE at home", partial(_calibration_error, found.calibration)),
        ]
    rows = found.external[found.external["metric"] == found.metric]
    return TextTable.of("Test sets from elsewhere", rows, columns, external_note(found), left=2)


def _calibration_error(table: pd.DataFrame, row: Row) -> Cell:
    error = float(table.loc[table["variant"] == row["variant"], "ece"].iloc[0])
    return Cell(in_figures(error), error)


def external_note(found: Comparison) -> str:
    """Explain drops, and describe how far the variants' ranking is the same elsewhere."""
    lines = [
        f"Drop: how much worse {phrase_of(found.metric)} is there than on the study's own test images; its interval "
        "takes both as independent samples (Newcombe 1998; Zou and Donner 2008)."
    ]
    for row in found.rankings[found.rankings["metric"] == found.metric].to_dict("records"):
        if row["variants"] < 2:
            continue
        best = (
            "is best there, too"
            if row["best_at_home"] == row["best_there"]
            else f"is best at home, {row['best_there']} there"
        )
        lines.append(
            f"{row['set']}: Kendall's tau between the rankings there and at home is {with_interval(row, 'tau')} "
            "(1: the same, -1: reversed; the interval spans the rankings that paired tests on both do not exclude); "
            f"{row['best_at_home']} {best}."
        )
    return " ".join(
        [*lines, "All metrics: `metrics/tables/external.csv`; how a set was read: `data/external/SET/data.md`."]
    )


def _operating_elsewhere(found: Comparison) -> TextTable:
    columns = [VARIANT, SET, _word("Rule", "rule"), _figure("Threshold", "threshold"), *RATES]
    table = found.external_tables.get("operating", found.operating[:0])
    return TextTable.of("Operating points chosen at home, elsewhere", table, columns, left=3)


def maps(found: Comparison) -> TextTable:
    """List how well maps point at the masks."""
    columns: list[Column] = [VARIANT, _text("Method", lambda row: METHODS[row["method"]].title)]
    headers = ("Pointing game", "untrained", "gain", "Inside", "untrained", "gain", "Similarity")
    names = (*POINTING, "likeness_to_untrained")
    columns += [_interval(header, name) for header, name in zip(headers, names, strict=True)]
    return TextTable.of("Do maps point at the masks?", found.maps, columns, maps_legend(found.maps), left=2)


def _agreement(found: Comparison) -> TextTable:
    columns = [VARIANT, _interval("Lower limit", "lower"), _interval("Bias", "bias"), _interval("Upper limit", "upper")]
    unit = f", in {found.unit}" if found.unit else ""
    note = f"Predicted less true{unit}: its mean (bias), and limits of agreement, bias ± 1.96 standard deviations."
    return TextTable.of("Agreement of predicted and true numbers", found.agreement, columns, note)


def _ranges(found: Comparison) -> TextTable:
    columns = [VARIANT, _word("Range", "range"), _word("Images", "images")]
    columns += [_interval(title_of("mae", found.unit), "mae"), _interval("Bias", "bias")]
    note = "Ranges of the true number, by quantiles of the test images. Bias: mean of predicted less true."
    return TextTable.of("Error by range", found.ranges, columns, note, left=2)


def _images(found: Comparison) -> TextTable:
    columns: list[Column] = [
        VARIANT,
        _text("Fraction", lambda row: f"{row['fraction']:g}"),
        _text("Images", lambda row: f"{row['images']:,.0f}"),
        _interval(title_of(found.metric, found.unit), "value"),
        _figure("SD runs", "sd"),
    ]
    said = [
        f"{row['variant']}: {row['reason']}"
        if row["reason"]
        else f"{row['variant']}: {with_interval(row, 'value')}, a gain of {with_interval(row, 'gain')}"
        for row in found.projections.to_dict("records")
    ]
    note = (
        "Trainings on nested subsets of the training images. Twice as many images, by a power law fitted to these "
        f"points: {'; '.join(said)}. Differences at each fraction: `metrics/tables/fraction_pairs.csv`."
    )
    return TextTable.of("How many images are enough?", found.fractions, columns, note, left=2)


def _published(found: Comparison) -> TextTable:
    columns: list[Column] = [
        VARIANT,
        _text("Metric", lambda row: title_of(row["metric"])),
        _figure("Published", "published"),
        _interval("Ours", "ours", ends="{1}"),
        _text("Outside our interval", lambda row: "yes" if row["differs"] else ""),
    ]
    sources = dict.fromkeys(visible(" ".join(source.split())) for source in found.published["source"])
    note = f"Published: {', '.join(sources)}."
    return TextTable.of("Published values and ours", found.published, columns, note, left=2)
