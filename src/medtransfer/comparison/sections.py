"""The tables of a comparison as text, for Markdown and LaTeX."""

from __future__ import annotations

from dataclasses import dataclass
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
from medtransfer.util.text import MISSING, in_figures, is_missing, visible


@dataclass(frozen=True)
class TextTable:
    """A table as text, with its title and the note below it.

    rows: cells, the first `left` of which are names. note: one line per part. marked: the mark of each
    row's name; empty for none.
    """

    title: str
    header: list[str]
    rows: list[list[str]]
    note: str = ""
    marked: tuple[str, ...] = ()
    left: int = 1

    @property
    def marks(self) -> tuple[str, ...]:
        """The mark of each row: `tied`, `baseline` or nothing."""
        return self.marked or ("",) * len(self.rows)


def sections(found: Comparison) -> list[TextTable]:
    """Return the tables that apply, the main one first."""
    parts = [_main(found), _best(found), _ensembles(found), _effects(found), _calibration(found), _operating(found)]
    parts += [_maps(found), _agreement(found), _ranges(found), _images(found)]
    parts += [_external(found), _operating_elsewhere(found), _subgroups(found), _published(found)]
    return [part for part in parts if part.rows]


def in_millions(value: Any) -> str:
    """Format a count in millions, or as `–` if it is missing."""
    if is_missing(value):
        return MISSING
    return f"{value / 1e6:,.2f} M" if value < 1e8 else f"{value / 1e6:,.0f} M"


def with_interval(row: Any, metric: str) -> str:
    """Format a value of a row with its interval."""
    if pd.isna(row.get(metric)):
        return MISSING
    text = in_figures(row[metric])
    if pd.notna(row.get(f"{metric}_low")):
        text += f" [{in_figures(row[f'{metric}_low'])}, {in_figures(row[f'{metric}_high'])}]"
    return text


def in_probability(p: Any) -> str:
    """Format a p value."""
    return MISSING if pd.isna(p) else "< .001" if p < 0.001 else in_figures(float(p))


def _main(found: Comparison) -> TextTable:
    metric, (first, *others) = found.metric, found.metrics
    sizes = {"parameters": "Parameters", "trainable_parameters": "trained", "multiply_adds": "Multiply-adds"}
    titles = [title_of(name, found.unit) for name in others]
    outcomes = found.margins.set_index("variant")["outcome"].dropna()
    judged = [f"Margin {in_figures(found.verdict.margin)}"] if len(outcomes) else []
    header = ["Variant", title_of(first, found.unit), "SD runs", "SE images", "p", *judged, "Validation", *titles]
    rows, marks = [], []
    for row in found.table[found.table["kind"] != "published"].to_dict("records"):
        rows.append(
            [
                row["variant"],
                with_interval(row, metric),
                *(in_figures(row[f"{metric}_{spread}"]) for spread in ("sd", "se")),
                in_probability(row["p_corrected"]) if row["variant"] != found.verdict.best else "best",
                *(outcomes.get(row["variant"], MISSING) for _ in judged),
                in_figures(row[f"{metric}_validation"]),
                *(with_interval(row, name) for name in others),
                *_sizes(row, *sizes),
            ]
        )
        marks.append("baseline" if row["kind"] == "baseline" else "tied" if is_tied(row) else "")
    return TextTable("All variants", [*header, *sizes.values()], rows, _legend(found), tuple(marks))


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


def _ensembles(found: Comparison) -> TextTable:
    titles = [title_of(name, found.unit) for name in found.metrics]
    header = ["Ensemble", "Members", *titles, "Difference", "p", "Parameters", "Multiply-adds"]
    rows = [
        [
            f"{row['ensemble']}",
            str(row["members"]),
            *(with_interval(row, name) for name in (*found.metrics, "difference")),
            in_probability(row["p_corrected"]),
            *_sizes(row, "parameters", "multiply_adds"),
        ]
        for row in found.ensembles.to_dict("records")
    ]
    return TextTable("Ensembles", header, rows, ensembles_note(found.ensembles, found.metric))


def _best(found: Comparison) -> TextTable:
    header = ["Backbone", "Best variant", title_of(found.metric, found.unit), "Parameters", "Multiply-adds"]
    rows = [
        [row["backbone"], row["variant"], with_interval(row, found.metric), *_sizes(row, "parameters", "multiply_adds")]
        for row in best_of_each_backbone(found.table).to_dict("records")
    ]
    return TextTable("The best variant of each backbone", header, rows, left=2)


def _effects(found: Comparison) -> TextTable:
    header = ["Factor", "A", "B", "Contexts", "A - B", "smallest", "largest", "p"]
    rows = [
        [
            *(str(row[name]) for name in ("factor", "a", "b", "contexts")),
            with_interval({"d": row["difference"], "d_low": row["low"], "d_high": row["high"]}, "d"),
            *(in_figures(row[name]) for name in ("smallest", "largest")),
            in_probability(row["p_corrected"]),
        ]
        for row in found.effects[found.effects["metric"] == found.metric].to_dict("records")
    ]
    note = (
        f"Differences in {phrase_of(found.metric)} between variants that differ in the factor alone, averaged over the "
        "contexts (the rest of a variant) in which both levels occur. p: corrected by Holm's rule."
    )
    return TextTable("Effects of each factor, all else equal", header, rows, note, left=3)


def _calibration(found: Comparison) -> TextTable:
    header = ["Variant", "ECE", "if calibrated", "Log loss", "Brier", "T", "ECE at T", "Log loss at T", "Brier at T"]
    rows = [
        [
            row["variant"],
            in_figures(row["ece"]),
            f"{in_figures(row['ece_null'])} (< {in_figures(row['ece_null_high'])})",
            *(in_figures(row[name]) for name in ("log_loss", "brier")),
            in_figures(row["temperature"], 2),
            *(in_figures(row[f"{name}_scaled"]) for name in ("ece", "log_loss", "brier")),
        ]
        for row in found.calibration.to_dict("records")
    ]
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
    return TextTable("Calibration", header, rows, note)


def _operating(found: Comparison) -> TextTable:
    header = ["Variant", "Rule", "Threshold", "Sensitivity", "Specificity", "Precision"]
    rates = ("sensitivity", "specificity", "precision")
    rows = [
        [row["variant"], row["rule"], in_figures(row["threshold"]), *(with_interval(row, rate) for rate in rates)]
        for row in found.operating.to_dict("records")
    ]
    note = (
        f"Threshold on the probability of {found.classes[-1] if found.classes else ''}, chosen on validation rows: 0.5 "
        "(half), the largest sensitivity + specificity (youden), a sensitivity of at least 95 % (sensitivity_95)."
    )
    return TextTable("Operating points", header, rows, note, left=2)


def _subgroups(found: Comparison) -> TextTable:
    header = ["Variant", "Test set", "Subgroup", "Worst", "Best", "Largest gap", "p"]
    rows = []
    of_metric = found.subgroups[found.subgroups["metric"] == found.metric]
    gaps = found.gaps[found.gaps["metric"] == found.metric].set_index(["set", "subgroup", "variant"])
    for (place, name, variant), part in of_metric.groupby(["set", "subgroup", "variant"], sort=False):
        order = part.dropna(subset="value").sort_values("value", ascending=not METRICS[found.metric].lower_is_better)
        ends = [_level(row) for row in order.iloc[[0, -1]].to_dict("records")] if len(order) else [MISSING, MISSING]
        gap = gaps.loc[(place, name, variant)] if (place, name, variant) in gaps.index else None
        told = [MISSING, MISSING] if gap is None else [with_interval(gap, "gap"), in_probability(gap["p_corrected"])]
        rows.append([str(variant), str(place), str(name), *ends, *told])
    return TextTable("Subgroups", header, rows, subgroups_note(found), left=3)


def _level(row: dict[str, Any]) -> str:
    return f"{row['level']}{' (few)' if row['few'] else ''}: {with_interval(row, 'value')}"


def subgroups_note(found: Comparison) -> str:
    """Say what a gap is, how it is tested, and which subgroups are too small."""
    few = found.subgroups[found.subgroups["few"].astype(bool)].drop_duplicates(["set", "subgroup", "level"])
    small = ", ".join(f"{row['subgroup']} {row['level']} ({row['groups']})" for row in few.to_dict("records"))
    return (
        "Largest gap: between two levels of a subgroup, with an interval for all of its pairs at once; p: Welch's "
        "test, corrected by Holm's rule over all subgroups, levels and variants of a test set."
        + (f" Few groups, so that no gap is measured: {small}." if small else "")
        + " All metrics: `metrics/tables/subgroups.csv` and `gaps.csv`."
    )


def _external(found: Comparison) -> TextTable:
    header = ["Variant", "Test set", title_of(found.metric, found.unit), "Drop", "ECE", "ECE at home"]
    rows = [
        [row["variant"], row["set"], with_interval(row, "value"), with_interval(row, "drop"), *_errors(found, row)]
        for row in found.external[found.external["metric"] == found.metric].to_dict("records")
    ]
    if all(row[4:] == [MISSING, MISSING] for row in rows):
        header, rows = header[:4], [row[:4] for row in rows]
    return TextTable("Test sets from elsewhere", header, rows, external_note(found), left=2)


def external_note(found: Comparison) -> str:
    """Say what a drop is, and whether the variants' ranking is the same elsewhere."""
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


def _errors(found: Comparison, row: dict[str, Any]) -> list[str]:
    """Return the calibration errors of a variant on an external set and at home."""
    there = found.external_tables.get("calibration")
    if there is None:
        return [MISSING, MISSING]
    of_set = there[there["set"] == row["set"]]
    return [
        in_figures(float(table.loc[table["variant"] == row["variant"], "ece"].iloc[0]))
        for table in (of_set, found.calibration)
    ]


def _operating_elsewhere(found: Comparison) -> TextTable:
    rates = ("sensitivity", "specificity", "precision")
    table = found.external_tables.get("operating", found.operating[:0])
    rows = [
        [
            row["variant"],
            row["set"],
            row["rule"],
            in_figures(row["threshold"]),
            *(with_interval(row, of) for of in rates),
        ]
        for row in table.to_dict("records")
    ]
    header = ["Variant", "Test set", "Rule", "Threshold", *(rate.capitalize() for rate in rates)]
    return TextTable("Operating points chosen at home, elsewhere", header, rows, left=3)


def _maps(found: Comparison) -> TextTable:
    header = ["Variant", "Method", "Pointing game", "untrained", "gain", "Inside", "untrained", "gain", "Similarity"]
    figures = (*POINTING, "likeness_to_untrained")
    rows = [
        [row["variant"], METHODS[row["method"]].title, *(with_interval(row, name) for name in figures)]
        for row in found.maps.to_dict("records")
    ]
    return TextTable("Do maps point at the masks?", header, rows, maps_legend(found.maps), left=2)


def _agreement(found: Comparison) -> TextTable:
    header = ["Variant", "Lower limit", "Bias", "Upper limit"]
    rows = [
        [row["variant"], *(with_interval(row, name) for name in ("lower", "bias", "upper"))]
        for row in found.agreement.to_dict("records")
    ]
    unit = f", in {found.unit}" if found.unit else ""
    note = f"Predicted less true{unit}: its mean (bias), and limits of agreement, bias ± 1.96 standard deviations."
    return TextTable("Agreement of predicted and true numbers", header, rows, note)


def _ranges(found: Comparison) -> TextTable:
    header = ["Variant", "Range", "Images", title_of("mae", found.unit), "Bias"]
    rows = [
        [row["variant"], row["range"], str(row["images"]), *(with_interval(row, name) for name in ("mae", "bias"))]
        for row in found.ranges.to_dict("records")
    ]
    note = "Ranges of the true number, by quantiles of the test images. Bias: mean of predicted less true."
    return TextTable("Error by range", header, rows, note, left=2)


def _images(found: Comparison) -> TextTable:
    header = ["Variant", "Fraction", "Images", title_of(found.metric, found.unit), "SD runs"]
    rows = [
        [
            row["variant"],
            f"{row['fraction']:g}",
            f"{row['images']:,.0f}",
            with_interval(row, "value"),
            in_figures(row["sd"]),
        ]
        for row in found.fractions.to_dict("records")
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
    return TextTable("How many images are enough?", header, rows, note, left=2)


def _published(found: Comparison) -> TextTable:
    header = ["Variant", "Metric", "Published", "Ours", "Outside our interval"]
    rows = [
        [
            row["variant"],
            title_of(row["metric"]),
            in_figures(row["published"]),
            with_interval({"v": row["ours"], "v_low": row["low"], "v_high": row["high"]}, "v"),
            "yes" if row["differs"] else "",
        ]
        for row in found.published.to_dict("records")
    ]
    sources = dict.fromkeys(visible(" ".join(source.split())) for source in found.published["source"])
    note = f"Published: {', '.join(sources)}."
    return TextTable("Published values and ours", header, rows, note, left=2)


def _sizes(row: dict[str, Any], *names: str) -> list[str]:
    return [in_millions(row.get(name)) for name in names]
