"""The table of all variants, baselines and published results, with each interval as a bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from medtransfer.comparison.rows import FACTORS, is_tied
from medtransfer.report.bars import Scale
from medtransfer.report.interval_figure import interval_figure
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.wording import in_interval, p_alone, three_digits
from medtransfer.statistics.metrics import METRICS, phrase_of, title_of
from medtransfer.util.text import is_missing, typeset

COSTS = (
    ("parameters", "Parameters", "millions", 1e-6),
    ("train_seconds", "Training", "s, all runs", 1.0),
    ("seconds_an_image", "Prediction", "ms/image", 1000.0),
)
"""Columns of the costs: name on file, title, unit shown, and the factor between the units."""
NARROW_METRICS = 5
"""The number of metrics that a narrow window shows; the others are among the columns to unfold."""


def content(material: Material) -> dict[str, Any]:
    """Make the rows and columns of the table, in the order of the comparison, and write `comparison.png`."""
    found, unit = material.found, material.unit
    material.save(interval_figure(material), "comparison")
    table = found.table.merge(
        found.costs.drop(columns="runs").assign(kind="variant"), on=["variant", "kind"], how="left"
    )
    scales = {name: _scale(table, name, "_low", "_high", "") for name in found.metrics if name in table}
    gap = _scale(table, "difference", "_low", "_high")
    choices = {name: sorted(set(table[name].dropna())) for name in FACTORS}
    return {
        "columns": [
            {"title": title_of(name, unit), "first": "ascending" if METRICS[name].lower_is_better else "descending"}
            | scale.ends
            for name, scale in scales.items()
        ],
        "rows": [_row(row, scales, gap, material) for _, row in _in_order(table).iterrows()],
        "costs": COSTS,
        "shown": NARROW_METRICS,
        "gap": gap.ends,
        "choices": {name: values for name, values in choices.items() if len(values) > 1},
        "metric": phrase_of(found.metric, unit),
        "confidence": found.confidence,
        "test": found.test,
        "sources": sorted(set(table.get("source", pd.Series(dtype=str)).dropna())),
        "differing": _differing(found.published, unit),
    }


def _scale(table: pd.DataFrame, name: str, *ends: str) -> Scale:
    return Scale.around(table[[f"{name}{end}" for end in ends]].to_numpy(float).ravel())


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Move each published row below the variant that it is about; keep the order otherwise."""
    place = {name: number for number, name in enumerate(table.loc[table["kind"] != "published", "variant"])}
    order = [
        (place.get(name, len(place)), kind == "published")
        for name, kind in zip(table["variant"], table["kind"], strict=True)
    ]
    return table.iloc[sorted(range(len(table)), key=lambda row: (order[row], row))]


def _row(row: pd.Series, scales: dict[str, Scale], gap: Scale, material: Material) -> dict[str, Any]:
    kind, name, found = str(row["kind"]), str(row["variant"]), material.found
    published = found.published[(found.published["variant"] == name) & (kind == "variant")].set_index("metric")
    return {
        "kind": kind,
        "name": name,
        "follows": kind == "published" and name in material.names,
        "tied": is_tied(row),
        "best": name == found.verdict.best and kind == "variant",
        "factors": {factor: row[factor] for factor in FACTORS if not is_missing(row[factor])},
        "look": None if is_missing(row["backbone"]) else material.looks[row["backbone"]],
        "cells": [_cell(row, metric, scale, published) for metric, scale in scales.items()],
        "spread": [_number(row.get(f"{found.metric}_{end}"), 1.0, typeset) for end in ("sd", "se", "validation")],
        "difference": _difference(row, gap),
        "costs": [_number(row.get(column), factor) for column, _, _, factor in COSTS],
    }


def _cell(row: pd.Series, metric: str, scale: Scale, published: pd.DataFrame) -> dict[str, Any] | None:
    value, low, high = (row.get(f"{metric}{end}") for end in ("", "_low", "_high"))
    if is_missing(value):
        return None
    cell = scale.cell(value, low, high, mark="published" if row["kind"] == "published" else "point")
    if metric not in published.index:
        return cell | {"differs": False}
    theirs = published.loc[metric]
    return cell | {"published": scale.place(theirs["published"]), "differs": theirs["differs"]}


def _difference(row: pd.Series, scale: Scale) -> dict[str, Any] | None:
    value, p = row.get("difference_to_best"), row.get("p_corrected")
    if is_missing(value) or row["kind"] != "variant":
        return None
    cell = scale.cell(value, row["difference_low"], row["difference_high"], zero=0.0)
    return cell | {"p": f"{p:.6g}", "p_text": p_alone(p)}


def _number(value: Any, factor: float, write: Callable[[Any], str] = three_digits) -> dict[str, str]:
    if is_missing(value):
        return {"value": "", "text": ""}
    return {"value": f"{value * factor:.6g}", "text": write(value * factor)}


def _differing(published: pd.DataFrame, unit: str) -> list[dict[str, str]]:
    """List the published results that are outside our interval."""
    return [
        {
            "variant": row["variant"],
            "metric": title_of(row["metric"], unit),
            "published": typeset(row["published"]),
            "ours": f"{typeset(row['ours'])} {in_interval(row['low'], row['high'])}",
            "side": "above" if row["ours"] > row["published"] else "below",
        }
        for _, row in published[published["differs"].astype(bool)].iterrows()
    ]


SECTIONS.register("comparison", Section(10, "All variants", content))
