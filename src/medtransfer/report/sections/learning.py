"""Learning curves, one small panel per variant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.svg import inline_svg
from medtransfer.tasks import TASKS, Task
from medtransfer.tasks.classes.figures import LEARNING, draw_learning_curves
from medtransfer.util.plotting import panels
from medtransfer.util.text import counted, shortened

WIDTH, HEIGHT, MARGINS = 2.3, 1.75, (0.52, 0.06, 0.42, 0.24)
COLUMNS, MOST_PANELS = 4, 40
SHORT_NAME, LONGEST_NAME = 26, 42
"""Characters that fit above the axis; and, in a smaller font, above the whole panel."""

LABEL_SIZE, LABEL_LENGTH = 8.5, 140.0
"""The largest font of the axis's label, and the product of font and characters that fits beside the axis."""

CUT = 0.1
"""The share of variants that may exceed the common scale."""

WIDE, LEAST_LOSS = 20, 1e-3
"""A scale whose top is this many times the median loss is logarithmic; the least start of such a scale."""


@dataclass(frozen=True)
class Measure:
    """A measure of training histories: its name there, the axis's label, and whether it is a share, at best 1."""

    name: str
    label: str
    is_share: bool = False


NOT_IN_NATS = {"earth_mover": "squared probability", "squared_error": "squared grades"}
"""The units of losses that are not a likelihood, in tasks where others are."""


def measure_of(task: Task, unit: str, kinds: Collection[str] = ()) -> Measure:
    """Return the measure that a task's curves show: its loss, or its score where kinds of losses share no scale.

    kinds: those of the losses that are shown.
    """
    if not task.curve:
        units = {NOT_IN_NATS.get(kind, task.loss_unit) for kind in kinds} or {task.loss_unit}
        return Measure("loss", f"loss ({units.pop()})" if len(units) == 1 else "loss (units differ)")
    in_unit = f" ({unit})" if unit and task.lower_is_better else ""
    return Measure(task.score, task.curve + in_unit, is_share=not task.lower_is_better)


def content(material: Material) -> dict[str, Any]:
    """Draw the variants that were trained over epochs, the best first; name those fitted in one step."""
    trained = _trained(material)
    shown = dict(list(trained.items())[:MOST_PANELS])
    measure = measure_of(TASKS[material.found.study.params.study.task], material.unit, loss_kinds(material, shown))
    groups = losses_of(material, shown) if measure.name == "loss" else dict.fromkeys(shown, "")
    limits = {
        name: limits_of([history for other, history in shown.items() if groups[other] == groups[name]], measure)
        for name in shown
    }
    small = max(map(len, shown)) > SHORT_NAME
    material.save(learning_figure(shown, measure, limits, small), "learning")
    figures = {name: learning_figure({name: history}, measure, limits, small) for name, history in shown.items()}
    return {
        "panels": [
            inline_svg(figure, f"learning-{number}", f"Learning curves of {name}")
            for number, (name, figure) in enumerate(figures.items())
        ],
        "lines": list(LEARNING.values()),
        "losses": len(set(groups.values())) > 1,
        "at_once": [name for name in material.names if name not in trained],
        "left_out": counted(len(trained) - len(shown), "variant") if len(trained) > len(shown) else "",
    }


def loss_kinds(material: Material, names: Iterable[str]) -> set[str]:
    """Return the kinds of the losses of variants."""
    return {material.found.study.variant(name).strategy.loss.kind for name in names}


def losses_of(material: Material, names: Iterable[str]) -> dict[str, str]:
    """Return the training loss of each variant in words; losses of other kinds have no common scale."""
    variants = {name: material.found.study.variant(name).strategy.loss for name in names}
    return {name: f"{loss.kind} {loss.class_weights or ''}".strip() for name, loss in variants.items()}


def _trained(material: Material) -> dict[str, pd.DataFrame]:
    return {name: history for name, history in material.histories.items() if history["epoch"].max() > 0}


def learning_figure(
    histories: dict[str, pd.DataFrame],
    measure: Measure,
    limits: Mapping[str, tuple[float, float]],
    small: bool = False,
) -> Figure:
    """Draw a measure of each variant by epoch on its scale, logarithmic for losses whose lower limit is not 0.

    small: whether names are in a font in which long ones fit.
    """
    figure, axes = panels(len(histories), COLUMNS, (WIDTH, HEIGHT), MARGINS)
    start, size = (-MARGINS[0] / (WIDTH - MARGINS[0] - MARGINS[1]), 5.8) if small else (0.0, 8.5)
    for axis, (name, history) in zip(axes, histories.items(), strict=False):
        is_logarithmic = not measure.is_share and limits[name][0] > 0
        draw_learning_curves(axis, history, measure.name, measure.label)
        axis.set_yscale("log" if is_logarithmic else "linear")
        axis.set_ylim(*limits[name])
        axis.set_title(shortened(name, LONGEST_NAME), loc="left", fontsize=size, x=start)
        axis.locator_params(axis="x", integer=True, nbins=4)
        if is_logarithmic:
            axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axis.yaxis.set_minor_locator(NullLocator())
        else:
            axis.locator_params(axis="y", nbins=4)
        axis.tick_params(labelsize=7.5)
        axis.yaxis.label.set_fontsize(min(LABEL_SIZE, LABEL_LENGTH / len(measure.label)))
    if len(histories) > 1:
        axes[0].legend(fontsize=7)
    return figure


def limits_of(histories: list[pd.DataFrame], measure: Measure) -> tuple[float, float]:
    """Return the common scale: the range of most variants' means, so that an outlier or first epoch flattens no other.

    Losses start at 0, unless some are many times the median. Shares end at 1 and start at a tenth below the values
    after the first epoch.
    """
    columns = [f"{part}_{measure.name}" for part in LEARNING]
    means = [history.groupby("epoch")[columns].mean().to_numpy() for history in histories]
    if measure.is_share:
        return float(np.floor(10 * np.nanquantile([mean[1:].min() for mean in means], CUT)) / 10), 1.0
    top = float(1.05 * np.nanquantile([mean.max() for mean in means], 1 - CUT))
    if top <= WIDE * np.nanmedian(np.concatenate(means)):
        return 0.0, top
    return max(float(np.nanquantile([mean.min() for mean in means], CUT)) / 1.05, LEAST_LOSS), top


SECTIONS.register("learning", Section(100, "Learning curves", content, lambda material: bool(_trained(material))))
