"""Each variant's metrics under the same resamples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtransfer.comparison import bootstrap
from medtransfer.evaluation.predictions import Predictions

HEADLINE = ("accuracy", "balanced_accuracy", "f1_weighted", "f1_macro", "roc_auc")
"""The metrics that get an interval and a test."""


@dataclass(frozen=True)
class Scores:
    """The resampled metrics of one variant.

    value: the metric of the sample itself, the mean over replicates. resampled: the same of each resample.
    spread: the standard deviation over replicates, None where there is one.
    """

    value: dict[str, float]
    resampled: dict[str, np.ndarray]
    spread: dict[str, float | None]


def score(predictions: Predictions, counts: np.ndarray) -> Scores:
    """Compute the headline metrics of test predictions under `counts` [1 + resamples, images]."""
    labels = predictions.images["label"].to_numpy()
    by_replicate = [_metrics(labels, scores, counts) for scores in predictions.replicates]
    value, resampled, spread = {}, {}, {}
    for name in HEADLINE:
        values = np.stack([metrics[name] for metrics in by_replicate])
        mean = values.mean(axis=0)
        value[name], resampled[name] = float(mean[0]), mean[1:]
        spread[name] = float(values[:, 0].std(ddof=1)) if len(values) > 1 else None
    return Scores(value, resampled, spread)


def _metrics(labels: np.ndarray, scores: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    confusion = bootstrap.confusion_counts(labels, scores.argmax(axis=1), scores.shape[1], counts)
    return {
        "accuracy": bootstrap.accuracy(confusion),
        "balanced_accuracy": bootstrap.balanced_accuracy(confusion),
        "f1_weighted": bootstrap.f1_weighted(confusion),
        "f1_macro": bootstrap.f1_macro(confusion),
        "roc_auc": bootstrap.roc_auc(labels, scores, counts),
    }
