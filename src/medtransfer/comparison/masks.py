"""The table of how well a variant found the mask of each test image."""

from __future__ import annotations

import pandas as pd

from medtransfer.comparison.results import MASKS
from medtransfer.evaluation.mask_predictions import MaskPredictions


def mask_table(name: str, tests: MaskPredictions) -> pd.DataFrame:
    """Say how a variant did on each test image; see `Comparison.masks`."""
    means = {column: tests.values(column).mean(axis=0) for column in ("truth_pixels", "found_pixels", "dice")}
    return tests.images[["path", "group"]].assign(variant=name, **means)[list(MASKS)]
