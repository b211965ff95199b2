"""What predicted masks say on the test rows: by run, on average, by class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medtransfer.tasks.masks.predictions import SEPARATOR, MaskPredictions
from medtransfer.tasks.names import MASK_METRICS


def evaluate_masks(predictions: MaskPredictions, classes: list[str], unit: str) -> dict[str, Any]:
    """Compute the test metrics of every run, means over images, their mean and standard deviation, the classes' own.

    `unit` is that of distances. empty: how many test images have an empty true mask, and of how many of these, on
    average over runs, the found one is empty too.
    """
    test = predictions.of_role("test")
    metrics = list(MASK_METRICS)
    runs = {f"fold{fold}_seed{seed}": rows[metrics].mean() for (fold, seed), rows in test.runs().items()}
    values = pd.DataFrame(runs).T
    return {
        "runs": {run: {name: _number(found[name]) for name in metrics} for run, found in runs.items()},
        "mean": {name: _number(values[name].mean()) for name in metrics},
        "sd": {name: _number(values[name].std(ddof=1)) for name in metrics},
        "classes": {name: _of_class(test, name, len(classes)) for name in classes},
        "unit": unit,
        "empty": _empty(test),
        "test_images": len(test.images),
    }


def _of_class(test: MaskPredictions, name: str, classes: int) -> dict[str, float | None]:
    suffix = f"{SEPARATOR}{name}" if classes > 1 else ""
    return {metric: _number(test.table[f"{metric}{suffix}"].mean()) for metric in MASK_METRICS}


def _empty(test: MaskPredictions) -> dict[str, float | int | None]:
    empty = test.table[test.table["truth_pixels"] == 0]
    share = float((empty["found_pixels"] == 0).mean()) if len(empty) else np.nan
    return {"images": int(empty["path"].nunique()), "found_empty": _number(share)}


def _number(value: float) -> float | None:
    """Give a value that JSON has a word for: None where it is not defined."""
    return None if np.isnan(value) else float(value)
