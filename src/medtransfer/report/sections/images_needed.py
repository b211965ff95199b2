"""The score of variants against the number of training images, and what twice as many would bring."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.svg import tip
from medtransfer.report.wording import value_and_interval
from medtransfer.statistics.metrics import title_of
from medtransfer.util.plotting import COLOURS, MARKERS, panels
from medtransfer.util.text import shortened

SIZE, MARGINS, LEGEND_COLUMNS = (7.2, 3.4), (0.62, 0.12, 0.55), 3
LONGEST_NAME, APART = 34, 1.02
"""Variants are drawn next to each other, each at this many times the number of images of the one before."""


def content(material: Material) -> dict[str, Any]:
    """Draw the curves of the best variants, and list all of them."""
    found, title = material.found, title_of(material.found.metric, material.unit)
    names = [name for name in material.names if (found.fractions["variant"] == name).any()]
    shown = names[: len(COLOURS)]
    figure = curves_figure(found.fractions, found.projections, shown, title)
    projections = found.projections.set_index("variant")
    return {
        "figure": material.show(figure, "images_needed", f"{title} by the number of training images"),
        "metric": title,
        "fractions": [f"{fraction:g}" for fraction in sorted(found.fractions["fraction"].unique())],
        "rows": [
            {"name": name, "cells": _cells(found.fractions, name), **_told(projections.loc[name])} for name in names
        ],
        "pairs": not found.fraction_pairs.empty,
        "left_out": len(names) - len(shown),
    }


def _cells(fractions: pd.DataFrame, name: str) -> list[dict[str, str]]:
    """Return the cell of each fraction, empty where the variant was not trained on it."""
    own = fractions[fractions["variant"] == name].set_index("fraction")
    cells = []
    for fraction in sorted(fractions["fraction"].unique()):
        if fraction not in own.index:
            cells.append({"value": "", "images": ""})
            continue
        row = own.loc[fraction]
        cells.append({"value": value_and_interval(row, "value"), "images": f"{row['images']:,.0f} images"})
    return cells


def _told(row: pd.Series) -> dict[str, str]:
    if row["reason"]:
        return {"twice": "", "gain": "", "reason": str(row["reason"])}
    return {"twice": value_and_interval(row, "value"), "gain": value_and_interval(row, "gain"), "reason": ""}


def curves_figure(fractions: pd.DataFrame, projections: pd.DataFrame, names: list[str], title: str) -> Figure:
    """Draw the score of variants by the number of images, with intervals; hollow: twice as many, by the power law."""
    lines = -(-len(names) // LEGEND_COLUMNS)  # of the legend, which is above: below, it would cover intervals
    figure, (axis,) = panels(1, 1, SIZE, (*MARGINS, 0.12 + 0.17 * lines))
    beyond = projections.set_index("variant")
    for number, name in enumerate(names):
        rows, colour, marker = fractions[fractions["variant"] == name], COLOURS[number], MARKERS[number]
        shift = APART ** (number - (len(names) - 1) / 2)
        places = rows["images"].to_numpy(float) * shift
        axis.vlines(places, rows["value_low"], rows["value_high"], color=colour, linewidth=1.4)
        label = shortened(name, LONGEST_NAME)
        axis.plot(places, rows["value"], marker=marker, markersize=5, color=colour, label=label, gid=tip(name))
        after = beyond.loc[name]
        if after["reason"]:
            continue
        place = float(after["images"]) * shift
        axis.plot([places[-1], place], [rows["value"].iloc[-1], after["value"]], "--", color=colour, linewidth=1.0)
        axis.vlines([place], [after["value_low"]], [after["value_high"]], color=colour, linewidth=1.0)
        axis.plot([place], [after["value"]], marker=marker, markersize=5, color=colour, markerfacecolor="none")
    axis.set_xscale("log")
    axis.xaxis.set_minor_locator(NullLocator())
    ticks = sorted({round(value) for value in fractions["images"]} | {round(v) for v in beyond["images"]})
    axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks], fontsize=7.5)
    axis.set(xlabel="training images", ylabel=title)
    axis.legend(fontsize=7, loc="lower left", bbox_to_anchor=(0, 1), ncols=LEGEND_COLUMNS)
    return figure


SECTIONS.register("images_needed", Section(30, "How many images are enough?", content, "fractions"))
