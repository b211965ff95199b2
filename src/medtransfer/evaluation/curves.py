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


def macro_roc(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the mean over classes of their one-against-rest ROC curves, at 101 false positive rates.

    For two classes it is the second class's curve. Classes without labels are left out.
    """
    grid = np.linspace(0.0, 1.0, MOST_POINTS)
    present = np.unique(labels) if probabilities.shape[1] > 2 else np.array([1])
    curves = []
    for number in present:
        false_rate, true_rate, _ = roc_curve(labels == number, probabilities[:, number])
        curves.append(np.interp(grid, false_rate, true_rate))
    mean = np.mean(curves, axis=0)
    mean[0] = 0.0
    return grid, mean
