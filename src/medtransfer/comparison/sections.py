"""The comparison as tables of words, whatever is made of them: Markdown or LaTeX."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from medtransfer.comparison.maps import maps_legend
from medtransfer.comparison.results import Comparison
from medtransfer.comparison.rows import best_of_each_backbone, is_tied
from medtransfer.comparison.tables import tables_of
from medtransfer.statistics.metrics import phrase_of, title_of
from medtransfer.study import METHODS
from medtransfer.util.text import in_figures

Mark = Literal["", "tied", "baseline"]
UNMARKED: Mark = ""


@dataclass(frozen=True)
class Section:
    """A table with its title, and what must be said about it below.

    rows: cells in words, the first `left` of them names. marked: how each row's name is set off; empty for not at all.
    """

    title: str
    header: list[str]
    rows: list[list[str]]
    note: str = ""
    marked: tuple[Mark, ...] = ()
    left: int = 1

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The mark of each row."""
        return self.marked or tuple(UNMARKED for _ in self.rows)


def sections(found: Comparison) -> list[Section]:
    """Give the tables that apply, the main one first."""
    parts = [_main(found), _best(found), _effects(found), _calibration(found), _operating(found), _maps(found)]
    parts.append(_published(found))
    return [part for part in parts if part.rows]


def in_millions(value: Any) -> str:
    """Write a count in millions, or `–` where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return f"{value / 1e6:,.2f} M" if value < 1e8 else f"{value / 1e6:,.0f} M"


def with_interval(row: Any, metric: str) -> str:
    """Write a value of a row with its interval."""
    if pd.isna(row.get(metric)):
        return "–"
    text = in_figures(row[metric])
    if pd.notna(row.get(f"{metric}_low")):
        text += f" [{in_figures(row[f'{metric}_low'])}, {in_figures(row[f'{metric}_high'])}]"
    return text


def in_probability(p: Any) -> str:
    """Write a p value."""
    return "–" if pd.isna(p) else "< .001" if p < 0.001 else in_figures(float(p))


def _main(found: Comparison) -> Section:
    table, metric = found.table[found.table["kind"] != "published"], found.metric
    first, *others = found.metrics
    header = ["Variant", title_of(first), "SD runs", "SE images", "p", *(title_of(name) for name in others)]
    rows = [
        [
            str(row["variant"]),
            with_interval(row, metric),
            in_figures(row[f"{metric}_sd"]),
            in_figures(row[f"{metric}_se"]),
            in_probability(row["p_corrected"]) if row["variant"] != found.verdict.best else "best",
            *(with_interval(row, name) for name in others),
            *(in_millions(row.get(name)) for name in ("parameters", "trainable_parameters", "multiply_adds")),
        ]
        for _, row in table.iterrows()
    ]
    marks: list[Mark] = [
        "baseline" if row["kind"] == "baseline" else "tied" if is_tied(row) else "" for _, row in table.iterrows()
    ]
    header += ["Parameters", "trained", "Multiply-adds"]
    return Section("All variants", header, rows, _legend(found), tuple(marks))


def _legend(found: Comparison) -> str:
    title, confidence, test = phrase_of(found.metric), f"{found.confidence:.0%}", found.test
    return (
        f"Value [{confidence} interval]. Intervals: bootstrap over the test set's {test['groups']} groups "
        f"({test['images']} images), {test['resamples']} resamples, quantiles of Student's t on the logit scale. "
        f"SD runs: what another training would change in {title}; SE images: what other test images would. p: of the "
        "paired difference from the best, corrected by Holm's rule over all pairs of variants; where it is "
        f"{1 - found.confidence:.2g} or more, the variant is tied with the best, which is marked =. "
        f"Baselines train no network. {tables_of(found.study.params.study.task).legend(found.about)}"
        "All pairs: `metrics/tables/pairs.csv`. Cost: `metrics/cost.md`."
    )


def _best(found: Comparison) -> Section:
    header = ["Backbone", "Best variant", title_of(found.metric), "Parameters", "Multiply-adds"]
    rows = [
        [
            str(row["backbone"]),
            str(row["variant"]),
            with_interval(row, found.metric),
            in_millions(row["parameters"]),
            in_millions(row["multiply_adds"]),
        ]
        for _, row in best_of_each_backbone(found.table).iterrows()
    ]
    return Section("The best variant of each backbone", header, rows, left=2)


def _effects(found: Comparison) -> Section:
    header = ["Factor", "A", "B", "Contexts", "A - B", "smallest", "largest", "p"]
    effects = found.effects[found.effects["metric"] == found.metric]
    rows = [
        [
            *(str(row[name]) for name in ("factor", "a", "b", "contexts")),
            with_interval({"d": row["difference"], "d_low": row["low"], "d_high": row["high"]}, "d"),
            in_figures(row["smallest"]),
            in_figures(row["largest"]),
            in_probability(row["p_corrected"]),
        ]
        for row in effects.to_dict("records")
    ]
    note = (
        f"Differences in {phrase_of(found.metric)} between variants that differ in the factor alone, "
        "averaged over the contexts (all else that a variant is made of) in which both occur. p: corrected by Holm's "
        "rule."
    )
    return Section("What each factor does, all else equal", header, rows, note, left=3)


def _calibration(found: Comparison) -> Section:
    header = ["Variant", "ECE", "if calibrated", "Log loss", "Brier", "T", "ECE at T", "Log loss at T", "Brier at T"]
    rows = [
        [
            str(row["variant"]),
            in_figures(row["ece"]),
            f"{in_figures(row['ece_null'])} (< {in_figures(row['ece_null_high'])})",
            *(in_figures(row[name]) for name in ("log_loss", "brier")),
            in_figures(row["temperature"], 2),
            *(in_figures(row[f"{name}_scaled"]) for name in ("ece", "log_loss", "brier")),
        ]
        for row in found.calibration.to_dict("records")
    ]
    note = (
        "Calibration error (ECE, 15 bins), and what a calibrated model would show with as many images, on average and "
        f"in {found.confidence:.0%} of cases: ECE is never 0. T: temperature fitted on validation rows."
    )
    return Section("Can the probabilities be believed?", header, rows, note)


def _operating(found: Comparison) -> Section:
    header = ["Variant", "Rule", "Threshold", "Sensitivity", "Specificity", "Precision"]
    rows = [
        [
            str(row["variant"]),
            str(row["rule"]),
            in_figures(row["threshold"]),
            *(with_interval(row, name) for name in ("sensitivity", "specificity", "precision")),
        ]
        for row in found.operating.to_dict("records")
    ]
    positive = found.classes[-1] if found.classes else ""
    note = (
        f"Threshold on the probability of {positive}, chosen on validation rows: 0.5 (half), the most sensitivity + "
        "specificity (youden), at least 95 % sensitivity (sensitivity_95)."
    )
    return Section("Operating points", header, rows, note, left=2)


def _maps(found: Comparison) -> Section:
    header = ["Variant", "Maps by", "Pointing game", "untrained", "gain", "Inside", "untrained", "gain", "Likeness"]
    figures = [f"{name}{of}" for name in ("pointing_game", "energy_inside") for of in ("", "_untrained", "_gain")]
    rows = [
        [
            str(row["variant"]),
            METHODS[row["method"]],
            *(with_interval(row, name) for name in (*figures, "likeness_to_untrained")),
        ]
        for row in found.maps.to_dict("records")
    ]
    return Section("Do maps point at what masks show?", header, rows, maps_legend(found.maps), left=2)


def _published(found: Comparison) -> Section:
    header = ["Variant", "Metric", "Published", "Ours", "outside our interval"]
    rows = [
        [
            str(row["variant"]),
            title_of(row["metric"]),
            in_figures(row["published"]),
            with_interval({"v": row["ours"], "v_low": row["low"], "v_high": row["high"]}, "v"),
            "yes" if row["differs"] else "",
        ]
        for row in found.published.to_dict("records")
    ]
    sources = ", ".join(dict.fromkeys(found.published["source"]))
    return Section("Published figures beside ours", header, rows, f"Published: {sources}.", left=2)
