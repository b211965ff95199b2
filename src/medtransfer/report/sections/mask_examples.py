"""Segmentation: predicted masks of the best variants, on images with good, median and bad results."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from medtransfer.comparison.tables.segmentation import masks_legend
from medtransfer.data.prepared import Prepared
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.tasks.masks.figures import KEY, draw_case, first_run, short_name, telling_cases
from medtransfer.tasks.masks.predictions import MaskPredictions
from medtransfer.util.plotting import panels
from medtransfer.util.text import shortened

MOST_VARIANTS, LONGEST_NAME = 4, 30
SIZE, MARGINS = (1.55, 1.72), (0.03, 0.03, 0.03, 0.2)


def content(material: Material) -> dict[str, Any]:
    """Draw true and predicted masks of the first run of the best variant of each backbone."""
    names, prepared = material.best_of_each_backbone(MOST_VARIANTS), Prepared(material.places.prepared)
    rows = {name: first_run(_test(material, name)) for name in names}
    cases = telling_cases(rows[names[0]])
    figures = {
        name: material.show(
            masks_figure(rows[name], cases, prepared), f"masks-{name}", f"Images, true masks and predictions of {name}"
        )
        for name in names
    }
    shown = [f"{title} {short_name(case['path'])}" for title, case in cases]
    return {"key": KEY, "rule": masks_legend(material.unit), "best": names[0], "cases": shown, "figures": figures}


def masks_figure(rows: pd.DataFrame, cases: list[tuple[str, pd.Series]], prepared: Prepared) -> Figure:
    """Draw the masks that one variant predicts for the images of the cases, side by side."""
    figure, axes = panels(len(cases), len(cases), SIZE, MARGINS)
    for axis, (title, case) in zip(axes, cases, strict=True):
        found = rows[rows["path"] == case["path"]].iloc[0]
        draw_case(axis, found, prepared)
        axis.set_title(shortened(f"{title}: Dice {found['dice']:.3f}", LONGEST_NAME), fontsize=7.5, fontweight="normal")
    return figure


def _test(material: Material, name: str) -> MaskPredictions:
    return MaskPredictions(pd.read_parquet(material.places.predictions(name))).of_role("test")


SECTIONS.register("mask_examples", Section(90, "Examples of masks", content, "masks"))
