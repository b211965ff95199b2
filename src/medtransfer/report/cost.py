"""Names beside points, moved up or down until none covers another; The study's metric against what a variant costs: parameters, training time, latency."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from scipy.optimize import isotonic_regression

from medtransfer.comparison.cost import machines
from medtransfer.report.section import Material, Section
from medtransfer.report.svg import tip
from medtransfer.report.wording import counted, three_digits
from medtransfer.statistics.metrics import METRICS, title_of
from medtransfer.util.files import PLAN, state_folder
from medtransfer.util.plotting import INK, MUTED, PAPER, Look, panels, shortened
from medtransfer.util.text import duration

FONT_SIZE, GAP, LONGEST = 7.5, 6.0, 24
LINE = 1.3 * FONT_SIZE
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
            fontsize=FONT_SIZE,
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


LEAST_SHOWN = 1e-3
"""A logarithmic axis has no zero: what costs less is drawn here."""

FEW_DECADES = 2.0


@dataclass(frozen=True)
class Quantity:
    """Something that a variant costs, the factor from its unit on file to that of the axis, and where its PNG goes."""

    column: str
    label: str
    factor: float
    name: str


SIZE = Quantity("parameters", "parameters (millions)", 1e-6, "size")
TIMES = (
    Quantity("train_seconds", "training, all runs (seconds)", 1.0, "training_time"),
    Quantity("seconds_an_image", "prediction (milliseconds an image)", 1000.0, "latency"),
)


def cost_section(material: Material) -> Section | None:
    """Draw one panel a quantity; those that differ between two runs of one study go to `plots/costs`."""
    found = material.found
    variants = found.table[found.table["kind"] == "variant"].merge(found.costs.drop(columns="runs"), on="variant")
    panels, title = [], title_of(found.metric, material.unit)
    for quantity in (SIZE, *TIMES):
        if variants[quantity.column].isna().all():
            continue
        worth = variants[found.metric].to_numpy(float) * (-1 if METRICS[found.metric].lower_is_better else 1)
        front = pareto_front(variants[quantity.column].to_numpy(float), worth)
        chosen = variants[front].sort_values(quantity.column)
        description = (
            f"{title} against {quantity.label}, {counted(len(variants), 'variant')}. "
            f"On the Pareto front: {', '.join(chosen['variant'])}."
        )
        figure = cost_figure(variants, front, found.metric, quantity, title, material.looks)
        folder = None if quantity is SIZE else material.places.root / "plots" / "costs"
        panels.append(material.show(figure, quantity.name, description, folder))
    frozen = found.costs["frozen_seconds"].sum()
    content = {
        "panels": panels,
        "machines": machines(found.costs),
        "frozen": f"{frozen:,.0f} s" if frozen else "",
        "planned": _planned(material, state_folder() / PLAN),
    }
    return Section("cost", f"{title} against cost", content)


def _planned(material: Material, path: Path) -> list[dict[str, str]]:
    """Set what `medtransfer plan` said of these trainings beside what they took; empty where it was not asked."""
    if not path.is_file():
        return []
    plan, costs = json.loads(path.read_text(encoding="utf-8")), material.found.costs.set_index("variant")
    return [
        {
            "variant": name,
            "planned": duration(plan[name]["seconds"]),
            "took": duration(costs.loc[name, "stage_seconds"]),
            "planned_memory": f"{plan[name]['memory']:,.0f}",
            "memory": f"{costs.loc[name, 'peak_memory_mb']:,.0f}",
        }
        for name in costs.index
        if name in plan and plan[name]["key"] == material.found.study.variant(name).key()
    ]


def pareto_front(costs: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mark the points that no other beats: none is at least as good in both and better in one.

    costs: [n], less is better. values: [n], more is better. Points without a cost are on no front.
    """
    cheaper = costs[:, None] <= costs
    better = values[:, None] >= values
    strictly = (costs[:, None] < costs) | (values[:, None] > values)
    return np.asarray(~(cheaper & better & strictly).any(axis=0) & np.isfinite(costs))


def cost_figure(
    variants: pd.DataFrame, front: np.ndarray, metric: str, quantity: Quantity, label: str, looks: dict[str, Look]
) -> Figure:
    """Draw each variant as a point, those on the front with names, intervals and a line; `label` names the metric."""
    figure, (axis,) = panels(1, 1, (3.75, 3.3), (0.62, 0.1, 0.5, 0.1))
    costs = np.maximum(variants[quantity.column].to_numpy(float) * quantity.factor, LEAST_SHOWN)
    values = variants[metric].to_numpy(float)
    _draw_front(axis, costs[front], values[front])
    for (_, row), cost, on_front in zip(variants.iterrows(), costs, front, strict=True):
        look = looks[row["backbone"]]
        if on_front:
            axis.plot(
                [cost, cost], [row[f"{metric}_low"], row[f"{metric}_high"]], color=look.colour, linewidth=1, alpha=0.6
            )
        filling = look.colour if on_front else "none"
        axis.plot(
            cost, row[metric], look.marker, color=look.colour, markersize=6, markerfacecolor=filling,
            gid=tip(f"{row['variant']}: {row[metric]:.3f}, {three_digits(cost)} {quantity.label}"),
        )  # fmt: skip
    axis.set_xscale("log")
    decades = np.log10(costs.max() / costs.min())
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < FEW_DECADES else (1,)))
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set(xlabel=quantity.label, ylabel=label)
    axis.margins(x=0.12, y=0.08)
    label_points(figure, axis, _names(variants[front]), costs[front], values[front])
    return figure


def _names(shown: pd.DataFrame) -> list[str]:
    """Name points by variant; by backbone where that says which and the variants' names have no room."""
    by_variant, by_backbone = (list(shown[column]) for column in ("variant", "backbone"))
    too_long = max(map(len, by_variant), default=0) > LONGEST
    return by_backbone if too_long and len(set(by_backbone)) == len(by_backbone) else by_variant


def _draw_front(axis: Axes, costs: np.ndarray, values: np.ndarray) -> None:
    order = np.argsort(costs, kind="stable")
    axis.step(costs[order], values[order], where="post", color=MUTED, linewidth=1, linestyle=(0, (4, 2)), zorder=1)
