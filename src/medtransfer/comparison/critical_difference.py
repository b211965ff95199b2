"""The critical difference diagram: average ranks on a line, and bars over those that no difference is shown within."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medtransfer.comparison.metrics import title_of
from medtransfer.comparison.statistics.ranks import Ranks
from medtransfer.plotting import COLOURS, INK, new_figure

STEP = 0.5
"""The height of a line of text."""


def draw_critical_differences(found: Ranks, names: list[str], metric: str) -> Figure:
    """Draw the diagram of Demšar (2006): the better half of the variants is named at the left, the other at the right.

    names: of the variants, in the order of `found`.
    """
    count = len(names)
    order = np.argsort(found.average, kind="stable")
    left, right = order[: (count + 1) // 2], order[(count + 1) // 2 :][::-1]
    bars = STEP / 2 * len(found.cliques)
    depth = bars + STEP * (len(left) + 1)
    figure = new_figure(8, 1.2 + 0.45 * depth / STEP)
    axis = figure.subplots()
    axis.set(xlim=(1 - 0.35 * count, count + 0.35 * count), ylim=(-depth, 3.2 * STEP))
    axis.set_axis_off()
    _draw_scale(axis, count, found.critical_difference)
    for number, clique in enumerate(found.cliques):
        ends = [found.average[clique[0]] - 0.03, found.average[clique[-1]] + 0.03]
        axis.plot(ends, [-STEP / 2 * (number + 0.8)] * 2, color=COLOURS[1], linewidth=4, solid_capstyle="round")
    for side, edge, align in ((left, 1 - 0.02 * count, "right"), (right, count + 0.02 * count, "left")):
        for place, variant in enumerate(side):
            height, rank = -bars - STEP * (place + 1), found.average[variant]
            axis.plot([rank, rank, edge], [0, height, height], color=INK, linewidth=1)
            axis.text(edge, height, f" {names[variant]} ({rank:.2f}) ", ha=align, va="center")
    axis.set_title(f"Average rank by {title_of(metric).lower()}; 1 is best")
    return figure


def _draw_scale(axis: Axes, count: int, difference: float) -> None:
    """Draw the line of ranks, and above it how long the critical difference is."""
    axis.plot([1, count], [0, 0], color=INK, linewidth=1.5)
    for rank in range(1, count + 1):
        axis.plot([rank, rank], [0, STEP / 4], color=INK, linewidth=1.5)
        axis.text(rank, STEP / 3, str(rank), ha="center", va="bottom")
    height = 2 * STEP
    axis.plot([1, 1 + difference], [height, height], color=COLOURS[1], linewidth=2, marker="|", markersize=8)
    axis.text(1 + difference / 2, height + STEP / 4, f"critical difference {difference:.2f}", ha="center", va="bottom")
