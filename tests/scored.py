"""Metrics of one run, for tests that have labels and probabilities at hand."""

from __future__ import annotations

import numpy as np

from medtransfer.statistics.metrics import metrics_of
from medtransfer.statistics.resampling import the_sample
from medtransfer.tasks.classes.metrics import ClassOutcomes


def class_metrics(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Compute every metric of labels [n] and probabilities [n, classes]."""
    run = ClassOutcomes(the_sample(np.arange(len(labels))), labels, probabilities)
    return {name: metric.value(run) for name, metric in metrics_of("classification", probabilities.shape[1]).items()}
