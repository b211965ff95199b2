"""The table of all variants, baselines and published figures, each interval drawn as a bar."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.comparison.rows import FACTORS, is_tied
from medtransfer.report.section import Material, Section
from medtransfer.report.wording import in_figures, in_interval, is_missing, p_alone, three_digits
from medtransfer.statistics.metrics import METRICS, phrase_of, title_of

MEASURES = (
    ("parameters", "Parameters", "millions", 1e-6),
    ("train_seconds", "Training", "s, all runs", 1.0),
    ("seconds_an_image", "Prediction", "ms an image", 1000.0),
)
LEAST_RANGE = 0.01


@dataclass(frozen=True)
class Scale:
    """The range of a column's bars: round numbers around all that it shows."""

    low: float
    high: float

    @classmethod
    def around(cls, values: np.ndarray) -> Scale:
        """Find the scale of some values, nan left out."""
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        step = 10.0 ** math.floor(math.log10(max(high - low, LEAST_RANGE))) / 2
        first = math.floor(low / step + 1e-9)
        return cls(first * step, max(math.ceil(high / step - 1e-9), first + 1) * step)

    def place(self, value: float) -> float:
        """Give where a value lies, in percent of the bar."""
        return round(100 * (value - self.low) / (self.high - self.low), 1)


def comparison_section(material: Material) -> Section:
    """Make the rows and columns of the table, in the order of the comparison."""
    costs = material.found.costs.drop(columns="runs").assign(kind="variant")
    table = material.found.table.merge(costs, on=["variant", "kind"], how="left")
    metrics = [name for name in material.found.metrics if name in table]
    scales = {name: _scale(table, name) for name in metrics}
    gap = Scale.around(table[["difference_low", "difference_high"]].to_numpy(float).ravel())
    rows = [_row(row, scales, gap, material) for _, row in _in_order(table).iterrows()]
    columns = [
        {
            "title": title_of(name, material.unit),
            "first": _first(name),
            "low": in_figures(scale.low, 2),
            "high": in_figures(scale.high, 2),
        }
        for name, scale in scales.items()
    ]
    choices = {name: sorted(set(table[name].dropna())) for name in FACTORS}
    content = {
        "columns": columns,
        "rows": rows,
        "measures": MEASURES,
        "gap": {"low": in_figures(gap.low, 2), "high": in_figures(gap.high, 2)},
        "choices": {name: values for name, values in choices.items() if len(values) > 1},
        "metric": phrase_of(material.found.metric, material.unit),
        "confidence": material.found.confidence,
        "test": material.found.test,
        "runs": int(table["runs"].max()),
        "sources": sorted(set(table.get("source", pd.Series(dtype=str)).dropna())),
        "differing": _differing(material.found.published, material.unit),
    }
    return Section("comparison", "All variants", content)


def _first(metric: str) -> str:
    """Give the direction that a column is sorted in first: the best above."""
    return "ascending" if METRICS[metric].lower_is_better else "descending"


def _scale(table: pd.DataFrame, metric: str) -> Scale:
    return Scale.around(table[[metric, f"{metric}_low", f"{metric}_high"]].to_numpy(float).ravel())


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Put each published row below the variant that it speaks of; the others stay where they are."""
    place = {name: number for number, name in enumerate(table.loc[table["kind"] != "published", "variant"])}
    order = [
        (place.get(name, len(place)), kind == "published")
        for name, kind in zip(table["variant"], table["kind"], strict=True)
    ]
    return table.iloc[sorted(range(len(table)), key=lambda row: (order[row], row))]


def _row(row: pd.Series, scales: dict[str, Scale], gap: Scale, material: Material) -> dict[str, Any]:
    kind, name = str(row["kind"]), str(row["variant"])
    names = set(material.names)
    published = material.found.published if kind == "variant" else material.found.published.iloc[:0]
    beside = published[published["variant"] == name].set_index("metric")
    look = None if is_missing(row["backbone"]) else material.looks[row["backbone"]]
    return {
        "kind": kind,
        "name": name,
        "follows": kind == "published" and name in names,
        "tied": is_tied(row),
        "best": name == material.found.verdict.best and kind == "variant",
        "factors": {factor: row[factor] for factor in FACTORS if not is_missing(row[factor])},
        "look": look,
        "cells": [_cell(row, metric, scale, beside) for metric, scale in scales.items()],
        "spread": [_measure(row.get(f"{material.found.metric}_{end}"), 1.0, in_figures) for end in ("sd", "se")],
        "difference": _difference(row, gap),
        "measures": [_measure(row.get(key), factor) for key, _, _, factor in MEASURES],
    }


def _cell(row: pd.Series, metric: str, scale: Scale, beside: pd.DataFrame) -> dict[str, Any] | None:
    value, low, high = (row.get(f"{metric}{end}") for end in ("", "_low", "_high"))
    if is_missing(value):
        return None
    cell = {
        "value": f"{value:.6g}",
        "text": in_figures(value),
        "interval": in_interval(low, high),
        "differs": False,
        "published" if row["kind"] == "published" else "point": scale.place(value),
    }
    if not is_missing(low):
        cell |= {"left": scale.place(low), "width": round(scale.place(high) - scale.place(low), 1)}
    if metric in beside.index:
        cell |= {"published": scale.place(beside.loc[metric, "published"]), "differs": beside.loc[metric, "differs"]}
    return cell


def _difference(row: pd.Series, scale: Scale) -> dict[str, Any] | None:
    value = row.get("difference_to_best")
    if is_missing(value) or row["kind"] != "variant":
        return None
    low, high = row["difference_low"], row["difference_high"]
    return {
        "value": f"{value:.6g}",
        "text": in_figures(value),
        "interval": in_interval(low, high),
        "point": scale.place(value),
        "left": scale.place(low),
        "width": round(scale.place(high) - scale.place(low), 1),
        "zero": scale.place(0.0),
        "p": f"{row['p_corrected']:.6g}",
        "p_text": p_alone(row["p_corrected"]),
    }


def _measure(value: Any, factor: float, write: Callable[[Any], str] = three_digits) -> dict[str, str]:
    if is_missing(value):
        return {"value": "", "text": ""}
    return {"value": f"{value * factor:.6g}", "text": write(value * factor)}


def _differing(published: pd.DataFrame, unit: str) -> list[dict[str, str]]:
    """Say where ours differs from a published figure beyond its own interval."""
    return [
        {
            "variant": row["variant"],
            "metric": title_of(row["metric"], unit),
            "published": in_figures(row["published"]),
            "ours": f"{in_figures(row['ours'])} {in_interval(row['low'], row['high'])}",
            "side": "above" if row["ours"] > row["published"] else "below",
        }
        for _, row in published[published["differs"].astype(bool)].iterrows()
    ]
