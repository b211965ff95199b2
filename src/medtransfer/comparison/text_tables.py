"""The tables of a comparison as text, for Markdown, LaTeX and the report."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from medtransfer.comparison.columns import (
    CORRECTED,
    RATES,
    SET,
    SIZES,
    VARIANT,
    Cell,
    Column,
    Row,
    TextTable,
    figure,
    interval,
    interval_cell,
    p_cell,
    sizes,
    text,
    word,
)
from medtransfer.comparison.ensembles import ensembles_note
from medtransfer.comparison.maps import maps_legend
from medtransfer.comparison.margins import in_words
from medtransfer.comparison.results import POINTING, Comparison
from medtransfer.comparison.rows import best_of_each_backbone, is_tied
from medtransfer.comparison.tables import tables_of
from medtransfer.deployment.explain.methods import METHODS
from medtransfer.statistics.metrics import METRICS, phrase_of, title_of
from medtransfer.util.text import MISSING, in_figures, visible, with_interval


def text_tables(found: Comparison) -> list[TextTable]:
    """Return the tables that apply, the main one first."""
    parts = [_main, _best, ensembles, _effects, _calibration, operating_points, maps, _agreement, _ranges, _images]
    parts += [_external, _operating_elsewhere, _subgroups, _published]
    return [table for make in parts if (table := make(found)).rows]


def _main(found: Comparison) -> TextTable:
    metric, best = found.metric, found.verdict.best
    outcomes = found.margins.set_index("variant")["outcome"].dropna()
    judged: list[Column] = []
    if len(outcomes):
        margin = f"Margin {in_figures(found.verdict.margin)}"
        judged = [text(margin, lambda row: outcomes.get(row["variant"], MISSING))]
    columns: list[Column] = [
        VARIANT,
        interval(title_of(metric, found.unit), metric),
        figure("SD runs", f"{metric}_sd"),
        figure("SE images", f"{metric}_se"),
        ("p", lambda row: Cell("best") if row["variant"] == best else p_cell(row["p_corrected"])),
        *judged,
        figure("Validation", f"{metric}_validation"),
        *(interval(title_of(name, found.unit), name) for name in found.metrics[1:]),
        *sizes(*SIZES),
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
        word("Ensemble", "ensemble"),
        word("Members", "members"),
        *(interval(title_of(name, found.unit), name) for name in found.metrics),
        interval("Difference", "difference"),
        CORRECTED,
        *sizes("parameters", "multiply_adds"),
    ]
    return TextTable.of("Ensembles", found.ensembles, columns, ensembles_note(found.ensembles, found.metric))


def _best(found: Comparison) -> TextTable:
    columns = [word("Backbone", "backbone"), word("Best variant", "variant")]
    columns += [interval(title_of(found.metric, found.unit), found.metric), *sizes("parameters", "multiply_adds")]
    return TextTable.of("The best variant of each backbone", best_of_each_backbone(found.table), columns, left=2)


def _effects(found: Comparison) -> TextTable:
    columns = [
        *(word(header, header.lower()) for header in ("Factor", "A", "B", "Contexts")),
        interval("A - B", "difference", ends="{1}"),
        *(figure(name, name) for name in ("smallest", "largest")),
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

    columns: list[Column] = [VARIANT, figure("ECE", "ece"), text("if calibrated", null)]
    columns += [figure("Log loss", "log_loss"), figure("Brier", "brier"), figure("T", "temperature", 2)]
    columns += [figure("ECE at T", "ece_scaled"), figure("Log loss at T", "log_loss_scaled")]
    columns += [figure("Brier at T", "brier_scaled")]
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
    columns = [VARIANT, word("Rule", "rule"), figure("Threshold", "threshold"), *RATES]
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
        told = [Cell(MISSING)] * 2 if gap is None else [interval_cell(gap, "gap"), p_cell(gap["p_corrected"])]
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
    columns = [VARIANT, SET, interval(title_of(found.metric, found.unit), "value"), interval("Drop", "drop")]
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
    columns = [VARIANT, SET, word("Rule", "rule"), figure("Threshold", "threshold"), *RATES]
    table = found.external_tables.get("operating", found.operating[:0])
    return TextTable.of("Operating points chosen at home, elsewhere", table, columns, left=3)


def maps(found: Comparison) -> TextTable:
    """List how well maps point at the masks."""
    columns: list[Column] = [VARIANT, text("Method", lambda row: METHODS[row["method"]].title)]
    headers = ("Pointing game", "untrained", "gain", "Inside", "untrained", "gain", "Similarity")
    names = (*POINTING, "likeness_to_untrained")
    columns += [interval(header, name) for header, name in zip(headers, names, strict=True)]
    return TextTable.of("Do maps point at the masks?", found.maps, columns, maps_legend(found.maps), left=2)


def _agreement(found: Comparison) -> TextTable:
    columns = [VARIANT, interval("Lower limit", "lower"), interval("Bias", "bias"), interval("Upper limit", "upper")]
    unit = f", in {found.unit}" if found.unit else ""
    note = f"Predicted less true{unit}: its mean (bias), and limits of agreement, bias ± 1.96 standard deviations."
    return TextTable.of("Agreement of predicted and true numbers", found.agreement, columns, note)


def _ranges(found: Comparison) -> TextTable:
    columns = [VARIANT, word("Range", "range"), word("Images", "images")]
    columns += [interval(title_of("mae", found.unit), "mae"), interval("Bias", "bias")]
    note = "Ranges of the true number, by quantiles of the test images. Bias: mean of predicted less true."
    return TextTable.of("Error by range", found.ranges, columns, note, left=2)


def _images(found: Comparison) -> TextTable:
    columns: list[Column] = [
        VARIANT,
        text("Fraction", lambda row: f"{row['fraction']:g}"),
        text("Images", lambda row: f"{row['images']:,.0f}"),
        interval(title_of(found.metric, found.unit), "value"),
        figure("SD runs", "sd"),
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
        text("Metric", lambda row: title_of(row["metric"])),
        figure("Published", "published"),
        interval("Ours", "ours", ends="{1}"),
        text("Outside our interval", lambda row: "yes" if row["differs"] else ""),
    ]
    sources = dict.fromkeys(visible(" ".join(source.split())) for source in found.published["source"])
    note = f"Published: {', '.join(sources)}."
    return TextTable.of("Published values and ours", found.published, columns, note, left=2)
