"""Figures of predicted numbers: learning curves, predicted against true, and Bland and Altman's plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from medtransfer.statistics.metrics import phrase_of
from medtransfer.tasks.classes.figures import variant_panels
from medtransfer.tasks.numbers.agreement import Limits
from medtransfer.tasks.numbers.predictions import NumberPredictions
from medtransfer.util.plotting import COLOURS, INK, MUTED
from medtransfer.util.text import typeset

POINT: dict[str, Any] = {"s": 10, "alpha": 0.6, "linewidths": 0}


def write_number_figure(
    name: str, history: Path, test: NumberPredictions, found: dict[str, Any], unit: str, path: Path
) -> None:
    """Draw the error by epoch, and the test images' numbers, mean over runs, as predicted and as they differ."""
    score = f"{phrase_of('mae', unit)} {typeset(found['mean']['mae'])} on "
    curves = ("absolute_error", _with_unit("mean absolute error", unit))
    with variant_panels(name, history, found, score, path, *curves) as (scatter, differences):
        truth, predicted, low, high = test.values.mean(axis=0).T
        draw_predicted(scatter, truth, predicted, unit, (low, high))
        draw_agreement(differences, truth, predicted, unit)
        scatter.set_title("Predicted and true")
        differences.set_title("Agreement")


def draw_predicted(
    axis: Axes, truth: np.ndarray, predicted: np.ndarray, unit: str, ends: Sequence[np.ndarray] | None = None
) -> None:
    """Draw predicted against true numbers [images], with the line on which they are equal.

    ends: the lower and the upper ones of predicted intervals, each [images], nan if unknown.
    """
    if ends is not None and np.isfinite(ends[0]).all():
        axis.vlines(truth, ends[0], ends[1], color=COLOURS[0], alpha=0.15, linewidth=0.8, label="95 % interval")
        axis.legend(loc="upper left", fontsize=7)
    axis.scatter(truth, predicted, color=COLOURS[0], **POINT)
    ends_of_line = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
    axis.plot(ends_of_line, ends_of_line, color=MUTED, linestyle=":", linewidth=1)
    axis.set(xlabel=_with_unit("true", unit), ylabel=_with_unit("predicted", unit))


def draw_agreement(
    axis: Axes, truth: np.ndarray, predicted: np.ndarray, unit: str, limits: Limits | None = None
) -> None:
    """Draw differences against means (Bland and Altman 1986) of numbers [images], with bias and limits of agreement.

    limits: with their intervals, which are drawn as bands.
    """
    limits = limits or Limits.of(truth, predicted)
    axis.scatter((truth + predicted) / 2, predicted - truth, color=COLOURS[0], **POINT)
    for value, band, line in zip(limits.values, limits.intervals, ("--", "-", "--"), strict=True):
        axis.axhline(value, color=INK, linestyle=line, linewidth=1)
        if np.isfinite(band).all():
            axis.axhspan(*band, color=COLOURS[1], alpha=0.15, linewidth=0)
        axis.annotate(
            typeset(value), (1, value), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7
        )
    axis.set(xlabel=_with_unit("mean of predicted and true", unit), ylabel=_with_unit("predicted less true", unit))


def _with_unit(text: str, unit: str) -> str:
    return f"{text} ({unit})" if unit else text
