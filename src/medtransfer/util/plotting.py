"""The style of all figures: colour-blind-safe, and the same bytes for the same data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from medtransfer.util.files import atomic_file

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
"""The palette of Okabe and Ito (2008), Color Universal Design; yellow is last because it is faint on white."""

MARKERS = "osD^vP*X"
LINES = ("-", "--", "-.", ":")
"""Markers and lines repeat the information of the colours, for readers and printers without them."""

INK, MUTED, GRID, PAPER = "#222222", "#767676", "#DDDDDD", "#FFFFFF"

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "medtransfer",
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in the name of a class does not start a formula
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
}

mpl.rcParams.update(STYLE)


def new_figure(width: float, height: float) -> Figure:
    """Return a figure of `width` x `height` inches that pyplot does not keep."""
    return Figure(figsize=(width, height), layout="constrained")


def panels(
    count: int, columns: int, size: tuple[float, float], margins: tuple[float, float, float, float]
) -> tuple[Figure, list[Axes]]:
    """Return a figure with a grid of `count` aligned panels in at most `columns` columns.

    size: width and height of a panel, in inches; margins: left, right, bottom and top margin within a panel, in
    inches. No layout is computed, which would take most of the time of a small figure.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    width, height = size
    left, right, bottom, top = margins
    figure = Figure(figsize=(width * columns, height * rows))
    axes = []
    for number in range(count):
        row, column = divmod(number, columns)
        corner = ((column + left / width) / columns, 1 - (row + 1 - bottom / height) / rows)
        inner = ((width - left - right) / width / columns, (height - bottom - top) / height / rows)
        axes.append(figure.add_axes((*corner, *inner)))
    return figure, axes


def save_png(figure: Figure, path: Path, dpi: int = 110) -> None:
    """Write a PNG without the version of its writer, so that equal figures are equal bytes."""
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=dpi, metadata={"Software": None})


@dataclass(frozen=True)
class Look:
    """The colour, marker and line style of one name."""

    colour: str
    marker: str
    line: str


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Assign each name a look by its position in sorted order; after eight, colours repeat with other markers."""
    found = {}
    for number, name in enumerate(sorted(set(names))):
        turn, place = divmod(number, len(COLOURS))
        found[name] = Look(COLOURS[place], MARKERS[(place + turn) % len(MARKERS)], LINES[turn % len(LINES)])
    return found


AREAS = (COLOURS[5], COLOURS[2], COLOURS[3], COLOURS[0])
OUTLINES = (COLOURS[1], COLOURS[4], COLOURS[7], "#FFFFFF")
"""The colours of the classes of a mask, tinted and outlined; they repeat after four."""


def draw_outlines(axis: Axes, mask: np.ndarray) -> None:
    """Outline each class of a mask of class numbers [h, w] on an image that is already drawn."""
    for number in _present(mask):
        colour = OUTLINES[(number - 1) % len(OUTLINES)]
        axis.contour(mask == number, levels=[0.5], colors=[colour], linewidths=1.2)


def draw_areas(axis: Axes, mask: np.ndarray) -> None:
    """Tint each class of a mask of class numbers [h, w] on an image that is already drawn."""
    for number in _present(mask):
        tint = np.zeros((*mask.shape, 4))
        tint[..., :3] = to_rgb(AREAS[(number - 1) % len(AREAS)])
        tint[..., 3] = 0.45 * (mask == number)
        axis.imshow(tint, interpolation="nearest")


def _present(mask: np.ndarray) -> list[int]:
    return [int(number) for number in np.unique(mask) if number]
