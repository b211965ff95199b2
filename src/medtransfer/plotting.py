"""How every figure looks: readable, colour-blind-safe, the same bytes for the same data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
"""Okabe and Ito (2008), Color Universal Design; the yellow last, because it is faint on white."""

STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "medtransfer",
}


mpl.rcParams.update(STYLE)


def new_figure(width: float, height: float) -> Figure:
    """Open a figure of `width` x `height` inches that no global state holds on to."""
    return Figure(figsize=(width, height), layout="constrained")


def save_png(figure: Figure, path: Path, dpi: int = 110) -> None:
    """Write a PNG without its writer's version, so that equal figures are equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=dpi, metadata={"Software": None})


AREAS = (COLOURS[5], COLOURS[2], COLOURS[3], COLOURS[0])
OUTLINES = (COLOURS[1], COLOURS[4], COLOURS[7], "#FFFFFF")
"""The colours of the classes of a true and of a found mask; beyond four they begin again."""


def draw_outlines(axis: Axes, mask: np.ndarray) -> None:
    """Outline each class of a mask of class numbers [h, w] over an image that is already drawn."""
    for number in _present(mask):
        colour = OUTLINES[(number - 1) % len(OUTLINES)]
        axis.contour(mask == number, levels=[0.5], colors=[colour], linewidths=1.2)


def draw_areas(axis: Axes, mask: np.ndarray) -> None:
    """Tint each class of a mask of class numbers [h, w] over an image that is already drawn."""
    for number in _present(mask):
        tint = np.zeros((*mask.shape, 4))
        tint[..., :3] = to_rgb(AREAS[(number - 1) % len(AREAS)])
        tint[..., 3] = 0.45 * (mask == number)
        axis.imshow(tint, interpolation="nearest")


def _present(mask: np.ndarray) -> list[int]:
    return [int(number) for number in np.unique(mask) if number]
