"""ROC, precision-recall and decision curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from matplotlib.figure import Figure

from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.svg import tip
from medtransfer.util.plotting import MUTED, Look, panels
from medtransfer.util.text import shortened

SIZE, MARGINS, LONGEST_NAME = (3.75, 3.6), (0.55, 0.12, 0.5, 0.3), 28


@dataclass(frozen=True)
class Kind:
    """One kind of curve: its name in the table of curves, its title, the axes' labels, and where the legend fits."""

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


def content(material: Material) -> dict[str, Any]:
    """Draw each kind of curve: the best variant of each backbone in colour, the others in light grey."""
    chosen = material.best_of_each_backbone()
    looks = {name: material.looks[material.backbone(name)] for name in chosen}
    shown = []
    for kind in KINDS:
        lines = material.found.curves[material.found.curves["curve"] == kind.curve]
        if not lines.empty:
            description = f"{kind.title}: {kind.y} against {kind.x}, in colour {', '.join(chosen)}."
            shown.append(material.show(curve_figure(lines, kind, looks), kind.curve, description))
    return {"panels": shown, "classes": len(material.found.classes), "all": len(material.names) == len(chosen)}


def curve_figure(curves: pd.DataFrame, kind: Kind, looks: dict[str, Look]) -> Figure:
    """Draw the curves of one kind; those in `looks` are in the legend, others are light grey, references dashed."""
    figure, (axis,) = panels(1, 1, SIZE, MARGINS)
    axis.set(xlabel=kind.x, ylabel=kind.y, title=kind.title)
    lines = dict(list(curves.groupby("variant", sort=False)))
    for name in [name for name in lines if name not in looks]:
        is_reference = name.startswith("treat ")
        style: dict[str, Any] = {"alpha": 0.35, "linewidth": 0.8, "gid": tip(name)}
        if is_reference:
            style = {"linestyle": (0, (4, 2)), "linewidth": 1, "label": name}
        axis.plot(lines[name]["x"], lines[name]["y"], color=MUTED, **style)
    for name in [name for name in looks if name in lines]:
        style = {"color": looks[name].colour, "label": shortened(name, LONGEST_NAME), "gid": tip(name)}
        axis.plot(lines[name]["x"], lines[name]["y"], looks[name].line, **style)
    axis.set_xlim(0, 1)
    if kind.curve == "roc":
        axis.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=1)
    if kind.curve == "net_benefit":
        shown = curves.loc[~curves["variant"].str.startswith("treat "), "y"].max()
        axis.set_ylim(max(axis.get_ylim()[0], -0.08), min(axis.get_ylim()[1], 1.3 * max(shown, 0.05)))
    else:
        axis.set_ylim(0, 1.01)
    axis.legend(fontsize=7, loc=kind.legend)
    return figure


SECTIONS.register("curves", Section(60, "ROC and precision–recall curves", content, "curves"))
