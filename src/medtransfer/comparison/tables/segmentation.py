"""The table of a segmentation: how well each variant found the mask of each test image."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medtransfer.comparison.evaluation_set import EvaluationSet
from medtransfer.comparison.results import MASKS
from medtransfer.comparison.tables import TABLES, Tables, TaskTables
from medtransfer.study import Study
from medtransfer.tasks.masks.predictions import MaskPredictions

UNITS = {"px": "pixels of the original images", "mm": "mm"}


class SegmentationTables(TaskTables):
    """See `Comparison.masks`."""

    def of_variant(self, name: str, predictions: MaskPredictions, test: EvaluationSet, study: Study) -> Tables:
        """Return the pixels of masks and Dice by image, mean over runs."""
        return {"masks": mask_table(name, predictions.tests)}

    def legend(self, about: dict[str, Any]) -> str:
        """Name the unit of lengths, and explain the metrics of an empty mask."""
        return masks_legend(about["masks"]["unit"])


def mask_table(name: str, tests: MaskPredictions) -> pd.DataFrame:
    """Return a variant's rows of `Comparison.masks`."""
    means = {column: tests.values(column).mean(axis=0) for column in ("truth_pixels", "found_pixels", "dice")}
    return tests.images.assign(variant=name, **means)[list(MASKS)]


def masks_legend(unit: str) -> str:
    """Name the unit of lengths, and explain the metrics of an empty mask."""
    return (
        f"HD95 and ASSD are in {UNITS[unit]}; smaller is better. Every metric is measured for each image and averaged. "
        "If the true and the found mask are both empty, Dice and IoU are 1, distances are 0, and precision and recall "
        "are left out; if one is, Dice, IoU and precision are 0, recall is 0 or, without a true mask, left out, and "
        "distances are the image's diagonal. "
    )


TABLES.register("segmentation", SegmentationTables())
