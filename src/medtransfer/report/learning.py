"""How the variants learned: one small panel each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from medtransfer.report.section import Material, Section
from medtransfer.report.svg import inline_svg
from medtransfer.report.wording import counted
from medtransfer.tasks.classes.figures import LEARNING, draw_learning_curves
from medtransfer.util.plotting import panels
from medtransfer.util.text import shortened

WIDTH, HEIGHT, MARGINS = 2.3, 1.75, (0.52, 0.06, 0.42, 0.24)
COLUMNS, MOST_PANELS = 4, 40
SHORT_NAME, LONGEST_NAME = 26, 42
"""Letters that have room above an axis; and above a whole panel, smaller, as then all names are."""

CUT = 0.1
"""The share of variants that may go beyond the common scale."""

WIDE, LEAST_LOSS = 20, 1e-3
"""A scale that ends at so many times the usual loss is logarithmic, and begins at this loss or above."""


@dataclass(frozen=True)
class Quantity:
    """What a history follows: its name there, the axis's label, and whether it is a share, at best 1."""

    name: str
    label: str
    is_share: bool = False

    @property
    def column(self) -> str:
        """The history's column of validation images."""
        return f"validation_{self.name}"


LOSS, DICE = Quantity("loss", "loss (nats)"), Quantity("dice", "mean Dice", is_share=True)
"""Dice where there is one: losses of several kinds are no single scale."""


def learning_section(material: Material) -> Section | None:
    """Draw the variants that learned over epochs, the best first; name those that were fitted in one step."""
    histories = {name: pd.read_csv(material.places.model(name) / "history.csv") for name in material.names}
    trained = {name: history for name, history in histories.items() if history["epoch"].max() > 0}
    if not trained:
        return None
    shown = dict(list(trained.items())[:MOST_PANELS])
    quantity = DICE if DICE.column in next(iter(shown.values())) else LOSS
    limits = limits_of(list(shown.values()), quantity)
    small = max(map(len, shown)) > SHORT_NAME
    material.save(learning_figure(shown, quantity, limits, small), "learning")
    figures = {name: learning_figure({name: history}, quantity, limits, small) for name, history in shown.items()}
    content = {
        "panels": [
            inline_svg(figure, f"learning-{number}", f"Learning curves of {name}")
            for number, (name, figure) in enumerate(figures.items())
        ],
        "lines": list(LEARNING.values()),
        "at_once": [name for name in histories if name not in trained],
        "left_out": counted(len(trained) - len(shown), "variant") if len(trained) > len(shown) else "",
    }
    return Section("learning", "Learning curves", content)


def learning_figure(
    histories: dict[str, pd.DataFrame], quantity: Quantity, limits: tuple[float, float], small: bool = False
) -> Figure:
    """Draw a quantity of each variant by epoch, all on one scale; a loss's that does not begin at 0 is logarithmic.

    small: whether names are written so that long ones have room.
    """
    figure, axes = panels(len(histories), COLUMNS, (WIDTH, HEIGHT), MARGINS)
    start, size = (-MARGINS[0] / (WIDTH - MARGINS[0] - MARGINS[1]), 5.8) if small else (0.0, 8.5)
    for axis, (name, history) in zip(axes, histories.items(), strict=False):
        draw_learning_curves(axis, history, quantity.name, quantity.label)
        is_logarithmic = not quantity.is_share and limits[0] > 0
        axis.set_yscale("log" if is_logarithmic else "linear")
        axis.set_ylim(*limits)
        axis.set_title(shortened(name, LONGEST_NAME), loc="left", fontsize=size, x=start)
        axis.locator_params(axis="x", integer=True, nbins=4)
        if is_logarithmic:
            axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axis.yaxis.set_minor_locator(NullLocator())
        else:
            axis.locator_params(axis="y", nbins=4)
        axis.tick_params(labelsize=7.5)
    if len(histories) > 1:
        axes[0].legend(fontsize=7)
    return figure


def limits_of(histories: list[pd.DataFrame], quantity: Quantity) -> tuple[float, float]:
    """Give the common scale: what most variants' means reach, so that one outlier, or a first epoch, flattens no other.

    Losses begin at 0, but where some are many times the usual one; shares end at 1 and begin at a tenth below what is
    reached after the first epoch.
    """
    columns = [f"{part}_{quantity.name}" for part in LEARNING]
    means = [history.groupby("epoch")[columns].mean().to_numpy() for history in histories]
    if quantity.is_share:
        return float(np.floor(10 * np.nanquantile([mean[1:].min() for mean in means], CUT)) / 10), 1.0
    top = float(1.05 * np.nanquantile([mean.max() for mean in means], 1 - CUT))
    if top <= WIDE * np.nanmedian(np.concatenate(means)):
        return 0.0, top
    return max(float(np.nanquantile([mean.min() for mean in means], CUT)) / 1.05, LEAST_LOSS), top
