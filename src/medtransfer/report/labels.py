"""Names beside points, moved up or down until none covers another."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import isotonic_regression

from medtransfer.plotting import INK, MUTED, PAPER, shortened

SIZE, GAP, LONGEST = 7.5, 6.0, 24
LINE = 1.3 * SIZE
"""Of text, in points."""


def label_points(figure: Figure, axis: Axes, names: list[str], x: np.ndarray, y: np.ndarray) -> None:
    """Write `names` beside the points (x, y) of data: right of those in the left half, left of the others.

    Labels that would stand closer to each other than a line are moved apart; a thin line leads to the point then.
    """
    points = axis.transData.transform(np.column_stack([x, y])) * 72 / figure.dpi
    box = axis.get_window_extent()
    middle, top = (box.x0 + box.x1) / 2 * 72 / figure.dpi, box.y1 * 72 / figure.dpi
    heights = spread(points[:, 1], LINE)
    heights -= max(heights.max() - top, 0.0)
    for name, place, point, height in zip(names, zip(x, y, strict=True), points, heights, strict=True):
        side = 1 if point[0] <= middle else -1
        axis.annotate(
            shortened(name, LONGEST),
            place,
            xytext=(side * GAP, height - point[1]),
            textcoords="offset points",
            ha="left" if side == 1 else "right",
            va="center",
            fontsize=SIZE,
            color=INK,
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.6, "alpha": 0.75},
            arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2},
        )


def spread(heights: np.ndarray, least: float) -> np.ndarray:
    """Move heights [n] apart until neighbours are at least `least` from each other.

    Their order stays, and the sum of squared moves is the smallest: isotonic regression of what is left of the
    heights once each has given way to those below it.
    """
    order = np.argsort(heights, kind="stable")
    steps = least * np.arange(len(heights))
    moved = np.empty(len(heights))
    moved[order] = isotonic_regression(heights[order] - steps).x + steps
    return moved
