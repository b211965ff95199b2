"""Metrics and rows of predictions of one run, and a metric registered from outside the package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd

from medtransfer.statistics.metrics import METRICS, metric, metrics_of
from medtransfer.statistics.resampling import the_sample
from medtransfer.tasks.classes.metrics import ClassOutcomes
from medtransfer.tasks.classes.predictions import class_columns
from medtransfer.tasks.predictions import rows_of_run


def class_metrics(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Compute every metric of labels [n] and probabilities [n, classes]."""
    run = ClassOutcomes(the_sample(np.arange(len(labels))), labels, probabilities)
    return {name: metric.value(run) for name, metric in metrics_of("classification", probabilities.shape[1]).items()}


def predictions_frame(
    images: pd.DataFrame, probabilities: np.ndarray, classes: list[str], fold: int, seed: int, role: str
) -> pd.DataFrame:
    """Make the rows of one run and role from rows of the prepared table and probabilities [n, classes]."""
    own = class_columns(images["label_index"].to_numpy(), probabilities, classes)
    return rows_of_run(images, own, fold, seed, role)


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
