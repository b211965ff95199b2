"""The metrics of ordered classes: how many grades a prediction is off, and whether images are ranked right."""

from __future__ import annotations

import numpy as np

from medtransfer.statistics.metrics import metric
from medtransfer.tasks.classes.metrics import CORRELATION, PENALTY, ClassOutcomes

NEAR = 1
"""The most grades that a prediction within one is off."""

LOWER = {"lower_is_better": True, "bounds": PENALTY}


@metric("mae_grades", "MAE (grades)", "ordinal", headline=True, in_summary=True, **LOWER)
def mean_absolute_error(run: ClassOutcomes) -> np.ndarray:
    """Return the mean number of grades that predictions are off."""
    return np.asarray(run.distances @ np.arange(run.probabilities.shape[1]) / run.counts.images)


@metric("balanced_mae_grades", "Balanced MAE (grades)", "ordinal", average="classes", headline=True, **LOWER)
def balanced_absolute_error(run: ClassOutcomes) -> np.ndarray:
    """Return the mean over grades with images of the mean absolute error (Baccianella et al. 2009)."""
    return _mean_over_labels(run, np.abs(run.predicted - run.labels))


@metric("within_one", "Within one grade", "ordinal", proportion=True, headline=True)
def within_one(run: ClassOutcomes) -> np.ndarray:
    """Return the share of predictions that are at most one grade off."""
    return np.asarray(run.distances[:, : NEAR + 1].sum(axis=-1) / run.counts.images)


@metric("balanced_within_one", "Balanced within one grade", "ordinal", average="classes")
def balanced_within_one(run: ClassOutcomes) -> np.ndarray:
    """Return the mean over grades with images of the share of predictions that are at most one grade off."""
    return _mean_over_labels(run, np.abs(run.predicted - run.labels) <= NEAR)


@metric("kendall_tau", "Kendall's tau", "ordinal", bounds=CORRELATION, headline=True)
def kendall_tau(run: ClassOutcomes) -> np.ndarray:
    """Return Kendall's tau-b (1945), which corrects for ties; nan where labels or predictions are all one grade."""
    classes = run.probabilities.shape[1]
    cells = run.weights.tally(run.labels * classes + run.predicted, classes**2).astype(np.float64)
    cells = cells.reshape(-1, classes, classes)
    later = cells.sum(axis=1, keepdims=True) - cells.cumsum(axis=1)  # images of higher labels, by their prediction
    below = later.cumsum(axis=2) - later
    agreeing = (cells * (later.sum(axis=2, keepdims=True) - later - 2 * below)).sum(axis=(1, 2))
    images = run.counts.images
    untied = [(images**2 - (of**2).sum(axis=-1)) / 2 for of in (run.counts.labelled, run.counts.predicted)]
    pairs = np.sqrt(untied[0]) * np.sqrt(untied[1])
    return np.where(pairs > 0, agreeing / np.where(pairs > 0, pairs, 1), np.nan)


def _mean_over_labels(run: ClassOutcomes, values: np.ndarray) -> np.ndarray:
    """Average values [images] within each label, then over the labels with images: [resamples]."""
    of_label = np.eye(run.probabilities.shape[1])[run.labels] * values[:, None]
    return run.counts.macro(run.weights.totals(of_label) / np.maximum(run.counts.labelled, 1))
