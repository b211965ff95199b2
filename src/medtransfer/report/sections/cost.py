"""The study's metric against the cost of each variant: parameters, training time, prediction time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from medtransfer.comparison.cost import machines
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.svg import tip
from medtransfer.report.wording import three_digits
from medtransfer.statistics.metrics import METRICS, title_of
from medtransfer.util.files import read_json
from medtransfer.util.places import PLAN, state_folder
from medtransfer.util.plotting import INK, MUTED, PAPER, Look, panels
from medtransfer.util.text import counted, duration, shortened

FONT_SIZE, GAP, LONGEST = 7.5, 6.0, 24
LINE = 1.3 * FONT_SIZE
"""The height of a line of text, in points."""

LEAST_SHOWN = 1e-3
"""Smaller costs are drawn here, because a logarithmic axis has no zero."""

FEW_DECADES, ONE_STEP = 2.0, 0.4
NARROWEST = 2.0
"""An axis of costs spans at least this factor, so that costs that hardly differ do not look different."""


@dataclass(frozen=True)
class Cost:
    """A kind of cost: its column, the label of its axis, the factor between their units, and the name of its PNG."""

    column: str
    label: str
    factor: float
    name: str


PARAMETERS = Cost("parameters", "parameters (millions)", 1e-6, "size")
TIMES = (
    Cost("train_seconds", "training time, all runs (s)", 1.0, "training_time"),
    Cost("seconds_an_image", "prediction time (ms per image)", 1000.0, "latency"),
)


def content(material: Material) -> dict[str, Any]:
    """Draw one panel per cost; those that differ between two runs of a study are saved to `plots/costs`."""
    found, title = material.found, title_of(material.found.metric, material.unit)
    variants = material.variants.merge(found.costs.drop(columns="runs"), on="variant")
    worth = variants[found.metric].to_numpy(float) * (-1 if METRICS[found.metric].lower_is_better else 1)
    shown = []
    for cost in (PARAMETERS, *TIMES):
        if variants[cost.column].isna().all():
            continue
        front = pareto_front(variants[cost.column].to_numpy(float), worth)
        chosen = variants[front].sort_values(cost.column)
        description = (
            f"{title} against {cost.label}, {counted(len(variants), 'variant')}. "
            f"On the Pareto front: {', '.join(chosen['variant'])}."
        )
        figure = cost_figure(variants, front, found.metric, cost, title, material.looks)
        folder = None if cost is PARAMETERS else material.places.plots / "costs"
        shown.append(material.show(figure, cost.name, description, folder))
    frozen = found.costs["frozen_seconds"].sum()
    return {
        "metric": title,
        "panels": shown,
        "machines": machines(found.costs),
        "frozen": f"{frozen:,.0f} s" if frozen >= 0.5 else "",
        "planned": _planned(material),
    }


def _planned(material: Material) -> list[dict[str, str]]:
    """Return the estimates of `medtransfer plan` for these trainings next to their true cost, if it was run."""
    path = state_folder() / PLAN
    if not path.is_file():
        return []
    plan, costs = read_json(path), material.found.costs.set_index("variant")
    return [
        {
            "variant": name,
            "planned": duration(plan[name]["seconds"]),
            "actual": duration(costs.loc[name, "stage_seconds"]),
            "planned_memory": f"{plan[name]['memory']:,.0f}",
            "actual_memory": f"{costs.loc[name, 'peak_memory_mb']:,.0f}",
        }
        for name in costs.index
        if name in plan and plan[name]["key"] == material.found.study.variant(name).key()
    ]


def pareto_front(costs: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return which points are on the Pareto front, bool [n]: no other is as good in both and better in one.

    costs: [n], lower is better. values: [n], higher is better. Points without a cost are never on the front.
    """
    cheaper = costs[:, None] <= costs
    better = values[:, None] >= values
    strictly = (costs[:, None] < costs) | (values[:, None] > values)
    return np.asarray(~(cheaper & better & strictly).any(axis=0) & np.isfinite(costs))


def cost_figure(
    variants: pd.DataFrame, front: np.ndarray, metric: str, cost: Cost, label: str, looks: dict[str, Look]
) -> Figure:
    """Draw each variant as a point, those on the front with names, intervals and a line; `label` names the metric."""
    figure, (axis,) = panels(1, 1, (3.9, 3.3), (0.77, 0.1, 0.5, 0.1))
    costs = np.maximum(variants[cost.column].to_numpy(float) * cost.factor, LEAST_SHOWN)
    values = variants[metric].to_numpy(float)
    order = np.argsort(costs[front], kind="stable")
    dashed: dict[str, Any] = {"color": MUTED, "linewidth": 1, "linestyle": (0, (4, 2)), "zorder": 1}
    axis.step(costs[front][order], values[front][order], where="post", **dashed)
    for (_, row), place, on_front in zip(variants.iterrows(), costs, front, strict=True):
        colour, ends = looks[row["backbone"]].colour, [row[f"{metric}_low"], row[f"{metric}_high"]]
        if on_front:
            axis.plot([place, place], ends, color=colour, linewidth=1, alpha=0.6)
        axis.plot(
            place, row[metric], looks[row["backbone"]].marker, color=colour, markersize=6,
            markerfacecolor=colour if on_front else "none",
            gid=tip(f"{row['variant']}: {label} {row[metric]:.3f}, {cost.label}: {three_digits(place)}"),
        )  # fmt: skip
    axis.set_xscale("log")
    decades = np.log10(costs.max() / costs.min())
    steps = LogLocator(subs=(1, 2, 5) if decades < FEW_DECADES else (1,))
    axis.xaxis.set_major_locator(MaxNLocator(3) if 0 < decades < ONE_STEP else steps)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set(xlabel=cost.label, ylabel=label)
    axis.margins(x=0.12, y=0.08)
    low, high = axis.get_xlim()
    wider = max(np.sqrt(NARROWEST * low / high), 1.0)
    axis.set_xlim(low / wider, high * wider)
    label_points(figure, axis, _names(variants[front]), costs[front], values[front])
    return figure


def _names(shown: pd.DataFrame) -> list[str]:
    """Name points by variant, or by backbone if that is unique and the variants' names are too long."""
    by_variant, by_backbone = (list(shown[column]) for column in ("variant", "backbone"))
    too_long = max(map(len, by_variant), default=0) > LONGEST
    return by_backbone if too_long and len(set(by_backbone)) == len(by_backbone) else by_variant


def label_points(figure: Figure, axis: Axes, names: list[str], x: np.ndarray, y: np.ndarray) -> None:
    """Write `names` next to the points (x, y): to the right in the left half, to the left in the right half.

    Labels that would overlap are moved up or down, with a thin line to their point.
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
            fontsize=FONT_SIZE,
            color=INK,
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.6, "alpha": 0.75},
            arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2},
        )


def spread(heights: np.ndarray, least: float) -> np.ndarray:
    """Move heights [n] apart, keeping their order, until neighbours are at least `least` apart.

    The sum of squared moves is the smallest possible: an isotonic regression of the heights, each reduced by the room
    that those below it need.
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(heights, kind="stable")
    steps = least * np.arange(len(heights))
    moved = np.empty(len(heights))
    moved[order] = isotonic_regression(heights[order] - steps).x + steps
    return moved


SECTIONS.register("cost", Section(20, "Performance against cost", content))
