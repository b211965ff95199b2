"""Metrics of one run, and a metric registered from outside the package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from medtransfer.statistics.metrics import METRICS, metric, metrics_of
from medtransfer.statistics.resampling import the_sample
from medtransfer.tasks.classes.metrics import ClassOutcomes


def class_metrics(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Compute every metric of labels [n] and probabilities [n, classes]."""
    run = ClassOutcomes(the_sample(np.arange(len(labels))), labels, probabilities)
    return {name: metric.value(run) for name, metric in metrics_of("classification", probabilities.shape[1]).items()}


@contextmanager
def label_probability_metric() -> Iterator[str]:
    """Register the mean probability of the label as a headline metric, for a while."""

    @metric("label_probability", "Label probability", "classification", headline=True)
    def label_probability(run: ClassOutcomes) -> np.ndarray:
        return run.weights.mean(run.probabilities[np.arange(len(run.labels)), run.labels])

    try:
        yield "label_probability"
    finally:
        del METRICS._items["label_probability"]
