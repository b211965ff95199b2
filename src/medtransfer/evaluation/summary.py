"""What predictions say on the test rows: by run, on average, by class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from medtransfer.evaluation.classification import classification_metrics, per_class_metrics
from medtransfer.evaluation.predictions import Predictions


def evaluate_predictions(predictions: Predictions) -> dict[str, Any]:
    """Compute the test metrics of every run, their mean and standard deviation, and the classes' own.

    The confusion matrix [label][prediction] and the per-class values are over all runs together.
    """
    test = predictions.of_role("test")
    runs = {
        f"fold{fold}_seed{seed}": classification_metrics(labels, scores)
        for (fold, seed), (labels, scores) in test.runs().items()
    }
    values = pd.DataFrame(runs.values())
    scores = np.concatenate([scores for _, scores in test.runs().values()])
    ordered = np.concatenate([labels for labels, _ in test.runs().values()])
    matrix = confusion_matrix(ordered, scores.argmax(axis=1), labels=np.arange(len(test.classes)))
    return {
        "runs": {run: {name: _number(value) for name, value in found.items()} for run, found in runs.items()},
        "mean": {name: _number(values[name].mean()) for name in values},
        "sd": {name: _number(values[name].std(ddof=1)) for name in values},
        "classes": per_class_metrics(ordered, scores, test.classes),
        "confusion": matrix.tolist(),
        "test_images": len(test.images),
    }


def _number(value: float) -> float | None:
    """Give a value that JSON has a word for: None where it is not defined."""
    return None if np.isnan(value) else float(value)
