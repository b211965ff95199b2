"""Several findings of an image: the results of each, and how often they come together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from medtransfer.data.prepared import Prepared
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.wording import in_interval
from medtransfer.util.plotting import MUTED, Look, panels
from medtransfer.util.text import shortened, typeset

WIDTH, LINE, LONGEST_NAME = 7.5, 0.34, 28
MARGINS = (2.1, 0.15, 0.5, 0.6)
VALUES = ("roc_auc", "pr_auc", "f1")


def content(material: Material) -> dict[str, Any]:
    """Draw a forest plot by finding, list the values of the best variant, and count findings that come together."""
    found, chosen = material.found.per_finding, material.best_of_each_backbone()
    looks = {name: material.looks[material.backbone(name)] for name in chosen}
    best = found[found["variant"] == chosen[0]].sort_values("images", ascending=False, kind="stable")
    description = f"ROC-AUC with its interval by finding: {', '.join(chosen)}."
    return {
        "figure": material.show(forest_figure(found, looks), "findings", description),
        "best": chosen[0],
        "rows": [_row(row) for row in best.to_dict("records")],
        "together": together(Prepared(material.places.prepared)),
    }


def forest_figure(table: pd.DataFrame, looks: dict[str, Look]) -> Figure:
    """Draw ROC-AUC and its interval of each finding, the most frequent at the top; one line for each variant."""
    order = table.drop_duplicates("finding").sort_values("images", kind="stable")
    names = list(order["finding"])
    figure, (axis,) = panels(1, 1, (WIDTH, 1.3 + LINE * len(names) * max(1, len(looks) / 2)), MARGINS)
    for place, (variant, look) in enumerate(looks.items()):
        rows = table[table["variant"] == variant].set_index("finding").loc[names]
        heights = np.arange(len(names)) + 0.7 * ((place + 0.5) / len(looks) - 0.5)
        axis.hlines(heights, rows["roc_auc_low"], rows["roc_auc_high"], color=look.colour, linewidth=1.5)
        label = shortened(variant, LONGEST_NAME)
        axis.plot(rows["roc_auc"], heights, "o", color=look.colour, markersize=4, label=label)
    axis.axvline(0.5, color=MUTED, linestyle=":", linewidth=1)
    labels = [f"{shortened(name, LONGEST_NAME)} ({count})" for name, count in zip(names, order["images"], strict=True)]
    axis.set_yticks(range(len(names)), labels)
    axis.set(xlabel="ROC-AUC, by finding (its test images)")
    axis.legend(fontsize=7, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    return figure


def together(prepared: Prepared) -> list[tuple[str, list[tuple[int, str]]]]:
    """Return for each finding the images that have it together with each other one: their number, and its share."""
    present = (prepared.values == 1).astype(np.int64)
    counts = present.T @ present
    return [
        (name, [(int(count), f"{count / max(own[place], 1):.4g}") for count in own])
        for place, (name, own) in enumerate(zip(prepared.outputs, counts, strict=True))
    ]


def _row(row: dict[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    cells = [(f"{row['images']:,}", "" if row["known"] == row["images"] else f"of {row['known']:,} known")]
    cells += [(typeset(row[name]), in_interval(row[f"{name}_low"], row[f"{name}_high"])) for name in VALUES]
    return row["finding"], [*cells, (typeset(row["threshold"]), ""), (typeset(row["ece"]), "")]


SECTIONS.register("findings", Section(50, "Results by finding", content, "per_finding"))
