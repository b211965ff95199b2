"""Regression: the error of each variant by range of the true number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.svg import tip
from medtransfer.report.wording import value_and_interval
from medtransfer.statistics.metrics import title_of
from medtransfer.util.plotting import COLOURS, MUTED, panels
from medtransfer.util.text import shortened

MOST_VARIANTS, LONGEST_NAME = len(COLOURS), 34
SIZE, MARGINS, LEGEND_COLUMNS = (7.2, 3.0), (0.62, 0.12, 0.55), 3
WIDTH = 0.7
"""The share of the distance between two ranges in which the variants are drawn side by side."""


def content(material: Material) -> dict[str, Any]:
    """Draw and list the error by range of the best variant of each backbone."""
    ranges, chosen = material.found.ranges, material.best_of_each_backbone(MOST_VARIANTS)
    figure = range_figure(ranges[ranges["variant"].isin([*chosen, "constant"])], chosen, material.unit)
    description = f"Mean absolute error by range of the true number, of {', '.join(chosen)}."
    first = ranges[ranges["variant"] == chosen[0]]
    return {
        "figure": material.show(figure, "error-by-range", description),
        "ranges": first[["range", "images", "groups"]].to_dict("records"),
        "rows": [(name, _cells(ranges[ranges["variant"] == name])) for name in material.names],
        "title": title_of("mae", material.unit),
    }


def _cells(rows: pd.DataFrame) -> list[str]:
    return [value_and_interval(row, "mae") for row in rows.to_dict("records")]


def range_figure(ranges: pd.DataFrame, chosen: list[str], unit: str) -> Figure:
    """Draw the errors of variants side by side in each range, with intervals; that of a constant as a dash."""
    lines = -(-(len(chosen) + 1) // LEGEND_COLUMNS)  # of the legend, which is above: within, it would cover values
    figure, (axis,) = panels(1, 1, SIZE, (*MARGINS, 0.12 + 0.17 * lines))
    names = list(dict.fromkeys(ranges["range"]))
    shifts = (np.arange(len(chosen)) - (len(chosen) - 1) / 2) * WIDTH / max(len(chosen), 1)
    for number, name in enumerate(chosen):
        rows = ranges[ranges["variant"] == name]
        places, colour = np.arange(len(rows)) + shifts[number], COLOURS[number]
        axis.vlines(places, rows["mae_low"], rows["mae_high"], color=colour, linewidth=2)
        label = shortened(name, LONGEST_NAME)
        axis.plot(places, rows["mae"], "o", color=colour, markersize=5, label=label, gid=tip(name))
    constant = ranges[ranges["variant"] == "constant"]
    places = np.arange(len(constant))
    axis.hlines(constant["mae"], places - 0.45, places + 0.45, color=MUTED, linestyle=":", label="constant")
    axis.set_xticks(range(len(names)), names, fontsize=7.5)
    axis.set(xlabel="range of the true number", ylabel=title_of("mae", unit))
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=7, loc="lower left", bbox_to_anchor=(0, 1), ncols=LEGEND_COLUMNS)
    return figure


SECTIONS.register("error_by_range", Section(64, "Error by range", content, "ranges"))
