"""Points of curves, thinned so that a file of them stays small."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_curve

MOST_POINTS = 101


def roc_points(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give false and true positive rates [at most 101] of a score against a binary truth.

    With more thresholds than that, the curve is read off at 101 evenly spaced false positive rates.
    """
    false_rate, true_rate, _ = roc_curve(truth, scores)
    if len(false_rate) <= MOST_POINTS:
        return false_rate, true_rate
    grid = np.linspace(0.0, 1.0, MOST_POINTS)
    read = np.interp(grid, false_rate, true_rate)
    read[0] = 0.0
    return grid, read


def macro_curves(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the mean over classes of their one-against-rest curves at 101 even steps from 0 to 1.

    The first is the true positive rate at each false positive rate, the second the precision at the highest threshold
    that reaches each recall. For two classes they are the second class's. Classes without labels are left out.
    """
    grid = np.linspace(0.0, 1.0, MOST_POINTS)
    present = np.unique(labels) if probabilities.shape[1] > 2 else np.array([1])
    pairs = [_curves(labels == number, probabilities[:, number], grid) for number in present]
    roc, precision = np.mean(pairs, axis=0)
    return roc, precision


def _curves(truth: np.ndarray, scores: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    true = np.cumsum(truth[order])[ends]
    false = ends + 1 - true
    negatives, positives = max(false[-1], 1), true[-1]
    roc = np.interp(grid, np.r_[0, false / negatives], np.r_[0, true / positives])
    roc[0] = 0.0
    reached = np.searchsorted(true, np.ceil(grid * positives - 1e-9).clip(1))
    return roc, (true / (true + false))[reached]
