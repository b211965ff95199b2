"""How far the probabilities can be believed: reliability diagrams, and the calibration errors beside them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medtransfer.report.section import Material, Section, best_of_each_backbone
from medtransfer.report.wording import in_figures, p_alone, three_digits
from medtransfer.util.plotting import COLOURS, MUTED, panels

SIZE, MARGINS = (2.35, 2.45), (0.47, 0.08, 0.42, 0.24)
FORMS = ((False, "as predicted", "o", COLOURS[0]), (True, "with temperature", "s", COLOURS[1]))


def calibration_section(material: Material) -> Section | None:
    """Draw the best variant of each backbone, and give every variant's errors as a table."""
    found = material.found
    if found.reliability.empty:
        return None
    shown = best_of_each_backbone(material)
    panels = [
        material.show(
            reliability_figure(found.reliability[found.reliability["variant"] == name], name, legend=True),
            f"reliability_{name}",
            f"Reliability diagram of {name}: accuracy of the test images against their largest probability.",
        )
        for name in shown
    ]
    by_name = found.calibration.set_index("variant")
    rows = [_row(name, by_name.loc[name]) for name in material.names if name in by_name.index]
    return Section("calibration", "Calibration", {"panels": panels, "rows": rows})


def reliability_figure(reliability: pd.DataFrame, title: str, legend: bool) -> Figure:
    """Draw accuracy against confidence, bin by bin, with its interval, as predicted and temperature-scaled."""
    figure, (axis,) = panels(1, 1, SIZE, MARGINS)
    draw_reliability(axis, reliability)
    axis.set_title(title, fontsize=8.5)
    if legend:
        axis.legend(fontsize=7, loc="upper left")
    return figure


def draw_reliability(axis: Axes, reliability: pd.DataFrame) -> None:
    """Draw the bins that have images; on the dotted line, probabilities are what they say."""
    axis.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=1)
    for scaled, label, marker, colour in FORMS:
        bins = reliability[(reliability["scaled"].astype(bool) == scaled) & (reliability["images"] > 0)]
        if bins.empty:
            continue
        ends = bins[["accuracy_low", "accuracy_high"]].to_numpy(float).T
        if not scaled and np.isfinite(ends).any():
            axis.vlines(bins["confidence"], *ends, color=colour, linewidth=1, alpha=0.5)
        axis.plot(
            bins["confidence"], bins["accuracy"], marker=marker, markersize=3.5, color=colour, linewidth=1, label=label
        )
    axis.set(xlabel="largest probability, mean of a bin", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.01))
    axis.tick_params(labelsize=7.5)


def _row(name: str, row: pd.Series) -> dict[str, object]:
    return {
        "name": name,
        "cells": [
            (f"{row['ece']:.6g}", in_figures(row["ece"])),
            (f"{row['ece_null']:.6g}", f"{in_figures(row['ece_null'])} – {in_figures(row['ece_null_high'])}"),
            (f"{row['p_calibrated']:.6g}", p_alone(row["p_calibrated"])),
            (f"{row['brier']:.6g}", in_figures(row["brier"])),
            (f"{row['log_loss']:.6g}", in_figures(row["log_loss"])),
            (f"{row['temperature']:.6g}", three_digits(row["temperature"])),
            (f"{row['ece_scaled']:.6g}", in_figures(row["ece_scaled"])),
            (f"{row['log_loss_scaled']:.6g}", in_figures(row["log_loss_scaled"])),
        ],
    }
