"""How the variants rank the images and how far their probabilities can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medtransfer.report.section import Material, Section, best_of_each_backbone
from medtransfer.report.svg import tip
from medtransfer.util.plotting import MUTED, Look, panels
from medtransfer.util.text import shortened

SIZE, MARGINS, LONGEST_NAME = (3.75, 3.6), (0.55, 0.12, 0.5, 0.3), 28


@dataclass(frozen=True)
class Kind:
    """One kind of curve: its name in the table of curves, the axes' labels, and where the legend has room."""

    curve: str
    title: str
    x: str
    y: str
    legend: Literal["lower right", "lower left", "upper right"]


KINDS = (
    Kind("roc", "ROC", "false positive rate", "true positive rate (sensitivity)", "lower right"),
    Kind("precision_recall", "Precision and recall", "recall (sensitivity)", "precision", "lower left"),
    Kind("net_benefit", "Decision curve", "threshold probability", "net benefit (per image)", "upper right"),
)


def curves_section(material: Material) -> Section | None:
    """Draw every kind of curve that there is: the best variant of each backbone in colour, the others faint."""
    curves = material.found.curves
    chosen = best_of_each_backbone(material)
    looks = {name: material.looks[material.backbone(name)] for name in chosen}
    panels = []
    for kind in KINDS:
        lines = curves[curves["curve"] == kind.curve]
        if lines.empty:
            continue
        description = f"{kind.title}: {kind.y} against {kind.x}, in colour {', '.join(chosen)}."
        panels.append(material.show(curve_figure(lines, kind, looks), kind.curve, description))
    if not panels:
        return None
    content = {"panels": panels, "classes": len(material.found.classes), "all": len(material.names) == len(chosen)}
    return Section("curves", "ROC and precision–recall curves", content)


def curve_figure(curves: pd.DataFrame, kind: Kind, looks: dict[str, Look]) -> Figure:
    """Draw the curves of one kind; the names of `looks` stand in the legend, others are faint, references dashed."""
    figure, (axis,) = panels(1, 1, SIZE, MARGINS)
    axis.set(xlabel=kind.x, ylabel=kind.y, title=kind.title)
    lines = dict(list(curves.groupby("variant", sort=False)))
    for name in [name for name in lines if name not in looks]:
        _faint(axis, name, lines[name])
    for name in [name for name in looks if name in lines]:
        label = shortened(name, LONGEST_NAME)
        look = looks[name]
        axis.plot(lines[name]["x"], lines[name]["y"], look.line, color=look.colour, label=label, gid=tip(name))
    axis.set_xlim(0, 1)
    if kind.curve == "roc":
        axis.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=1)
    if kind.curve != "net_benefit":
        axis.set_ylim(0, 1.01)
    else:
        axis.set_ylim(bottom=max(axis.get_ylim()[0], -0.1))
    axis.legend(fontsize=7, loc=kind.legend)
    return figure


def _faint(axis: Axes, name: str, line: pd.DataFrame) -> None:
    if name.startswith("treat "):
        axis.plot(line["x"], line["y"], color=MUTED, linestyle=(0, (4, 2)), linewidth=1, label=name)
    else:
        axis.plot(line["x"], line["y"], color=MUTED, alpha=0.35, linewidth=0.8, gid=tip(name))
