"""What found masks look like: the best variants on the images that the best of them does best, middling and worst."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from medtransfer.comparison.tables.segmentation import masks_legend
from medtransfer.data.prepared import Prepared
from medtransfer.report.section import Material, Section, best_of_each_backbone
from medtransfer.tasks.masks.figures import KEY, draw_case, first_run, short_name, telling_cases
from medtransfer.tasks.masks.predictions import MaskPredictions
from medtransfer.util.plotting import panels, shortened

MOST_VARIANTS, LONGEST_NAME = 4, 30
SIZE, MARGINS = (1.55, 1.72), (0.03, 0.03, 0.03, 0.2)


def masks_section(material: Material) -> Section | None:
    """Draw true and found masks of one run of the best variant of each backbone; None where there are no masks."""
    if material.found.masks.empty:
        return None
    names = best_of_each_backbone(material, MOST_VARIANTS)
    prepared = Prepared(material.places.prepared)
    rows = {name: first_run(_test(material, name)) for name in names}
    cases = telling_cases(rows[names[0]])
    content = {
        "key": KEY,
        "rule": masks_legend(material.unit),
        "best": names[0],
        "cases": [f"{title}: {short_name(case['path'])}" for title, case in cases],
        "rows": [
            {
                "name": name,
                "figure": material.show(
                    masks_figure(rows[name], cases, prepared), f"masks-{name}", f"Masks that {name} finds"
                ),
            }
            for name in names
        ],
    }
    return Section("masks", "Masks", content)


def masks_figure(rows: pd.DataFrame, cases: list[tuple[str, pd.Series]], prepared: Prepared) -> Figure:
    """Draw the masks that one variant finds in the images of the cases, side by side."""
    figure, axes = panels(len(cases), len(cases), SIZE, MARGINS)
    for axis, (title, case) in zip(axes, cases, strict=True):
        found = rows[rows["path"] == case["path"]].iloc[0]
        draw_case(axis, found, prepared)
        axis.set_title(shortened(f"{title}: Dice {found['dice']:.3f}", LONGEST_NAME), fontsize=7.5, fontweight="normal")
    return figure


def _test(material: Material, name: str) -> MaskPredictions:
    return MaskPredictions(pd.read_parquet(material.places.predictions(name))).of_role("test")
