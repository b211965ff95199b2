"""Predictions of any task from disk."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from medtransfer.tasks.classes.predictions import Predictions
from medtransfer.tasks.masks.predictions import MASK, MaskPredictions

AnyPredictions = Predictions | MaskPredictions


def read_predictions(path: Path) -> AnyPredictions:
    """Read what `write_rows` wrote; rows with masks are those of a segmentation."""
    table = pd.read_parquet(path)
    return MaskPredictions(table) if MASK in table else Predictions(table)
