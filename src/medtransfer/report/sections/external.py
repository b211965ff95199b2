"""Test sets from elsewhere: each variant there and at home, the drop, and whether the ranking is the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from medtransfer.comparison.text_tables import external_note
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.svg import tip
from medtransfer.report.wording import cell, text_cell
from medtransfer.statistics.metrics import title_of
from medtransfer.util.plotting import COLOURS, MUTED, panels
from medtransfer.util.text import shortened

LONGEST_NAME = 34
RATES = ("sensitivity", "specificity", "precision")


def content(material: Material) -> dict[str, Any]:
    """Draw each set's values next to those at home, and list drops, calibration and operating points."""
    found = material.found
    rows = found.external[found.external["metric"] == found.metric]
    calibration = found.external_tables.get("calibration")
    operating = found.external_tables.get("operating")
    sets = [
        {
            "name": name,
            "figure": material.show(
                external_figure(of_set.set_index("variant").loc[material.names], title_of(found.metric, material.unit)),
                f"external-{name}",
                f"Values of each variant on {name} and on the study's own test images.",
            ),
            "images": int(of_set["images"].iloc[0]),
            "groups": int(of_set["groups"].iloc[0]),
            "rows": _rows(material.names, of_set.set_index("variant"), calibration, str(name)),
            "operating": [] if operating is None else _operating(operating[operating["set"] == name]),
        }
        for name, of_set in rows.groupby("set", sort=False)
    ]
    return {
        "sets": sets,
        "title": title_of(found.metric, material.unit),
        "note": external_note(found).split(" All metrics")[0],
        "calibrated": calibration is not None,
        "rates": RATES,
    }


def _rows(names: list[str], values: pd.DataFrame, calibration: pd.DataFrame | None, of: str) -> list[tuple[str, Any]]:
    found = []
    for name in names:
        cells = [cell(values.loc[name], column) for column in ("value", "home", "drop")]
        if calibration is not None:
            own = calibration[(calibration["set"] == of) & (calibration["variant"] == name)].iloc[0]
            cells += [cell(own, column) for column in ("ece", "log_loss", "log_loss_scaled")]
        found.append((name, cells))
    return found


def _operating(rows: pd.DataFrame) -> list[tuple[str, list[Any]]]:
    return [
        (row["variant"], [text_cell(row["rule"]), *(cell(row, column) for column in ("threshold", *RATES))])
        for _, row in rows.iterrows()
    ]


def external_figure(values: pd.DataFrame, title: str) -> Figure:
    """Draw the value of each variant there (filled) and at home (hollow), with intervals, the best at home on top."""
    size, margins = (7.2, 0.9 + 0.3 * len(values)), (2.3, 0.12, 0.5, 0.32)
    figure, (axis,) = panels(1, 1, size, margins)
    heights = np.arange(len(values))[::-1]
    for column, shift, colour, face, label in (
        ("home", 0.13, MUTED, "white", "at home"),
        ("value", -0.13, COLOURS[0], COLOURS[0], "there"),
    ):
        axis.hlines(heights + shift, values[f"{column}_low"], values[f"{column}_high"], color=colour, linewidth=2)
        for height, (name, value) in zip(heights, values[column].items(), strict=True):
            axis.plot(value, height + shift, "o", color=colour, markerfacecolor=face, markersize=5, gid=tip(str(name)))
        axis.plot([], [], "o", color=colour, markerfacecolor=face, label=label)
    axis.set_yticks(heights, [shortened(str(name), LONGEST_NAME) for name in values.index], fontsize=7.5)
    axis.set(xlabel=title, ylim=(-0.6, len(values) - 0.4))
    axis.grid(visible=False, axis="y")
    axis.legend(fontsize=7, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


SECTIONS.register("external", Section(35, "Test sets from elsewhere", content, "external"))
