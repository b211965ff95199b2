"""Calibration of the probabilities: reliability diagrams and calibration errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.wording import cell, p_alone, three_digits
from medtransfer.util.plotting import COLOURS, MUTED, panels
from medtransfer.util.text import shortened, typeset

SIZE, MARGINS, LONGEST_NAME = (2.35, 2.45), (0.47, 0.08, 0.42, 0.24), 28
FORMS = ((False, "as predicted", "o", COLOURS[0]), (True, "with temperature", "s", COLOURS[1]))
COLUMNS = ("ece", "ece_null", "p_calibrated", "brier", "log_loss", "temperature", "ece_scaled", "log_loss_scaled")


def content(material: Material) -> dict[str, Any]:
    """Draw the best variant of each backbone, and list the errors of all variants."""
    found = material.found
    shown = [
        material.show(
            reliability_figure(found.reliability[found.reliability["variant"] == name], name, legend=True),
            f"reliability_{name}",
            f"Reliability diagram of {name}: accuracy against the largest probability.",
        )
        for name in material.best_of_each_backbone()
    ]
    by_name = found.calibration.set_index("variant")
    rows = [_row(name, by_name.loc[name]) for name in material.names if name in by_name.index]
    return {"panels": shown, "rows": rows}


def reliability_figure(reliability: pd.DataFrame, title: str, legend: bool) -> Figure:
    """Draw accuracy against confidence by bin, with its interval, as predicted and temperature-scaled.

    Empty bins are left out. On the dotted diagonal, probabilities are calibrated.
    """
    figure, (axis,) = panels(1, 1, SIZE, MARGINS)
    axis.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=1)
    for scaled, label, marker, colour in FORMS:
        bins = reliability[(reliability["scaled"].astype(bool) == scaled) & (reliability["images"] > 0)]
        if bins.empty:
            continue
        ends = bins[["accuracy_low", "accuracy_high"]].to_numpy(float).T
        if not scaled and np.isfinite(ends).any():
            axis.vlines(bins["confidence"], *ends, color=colour, linewidth=1, alpha=0.5)
        style: dict[str, Any] = {"marker": marker, "markersize": 3.5, "color": colour, "linewidth": 1, "label": label}
        axis.plot(bins["confidence"], bins["accuracy"], **style)
    axis.set(xlabel="largest probability (bin mean)", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.01))
    axis.tick_params(labelsize=7.5)
    axis.set_title(shortened(title, LONGEST_NAME), fontsize=8.5)
    if legend:
        axis.legend(fontsize=7, loc="upper left")
    return figure


def _row(name: str, row: pd.Series) -> tuple[str, list[Any]]:
    written = {
        "ece_null": f"{typeset(row['ece_null'])} – {typeset(row['ece_null_high'])}",
        "p_calibrated": p_alone(row["p_calibrated"]),
        "temperature": three_digits(row["temperature"]),
    }
    return name, [cell(row, column, written.get(column, "")) for column in COLUMNS]


SECTIONS.register("calibration", Section(70, "Calibration", content, "reliability"))
