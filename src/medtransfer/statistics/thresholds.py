"""Operating points of a binary task: a threshold on the probability of the second class, chosen on validation rows; Decision curves: whether acting on a model does more good than harm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.metrics import roc_curve

SENSITIVITY = 0.95


def half(truth: np.ndarray, scores: np.ndarray) -> float:
    """Give 0.5, whatever the validation rows say: where the more probable class is predicted."""
    del truth, scores
    return 0.5


def youden(truth: np.ndarray, scores: np.ndarray) -> float:
    """Give the threshold with the greatest sensitivity + specificity (Youden 1950) of scores [n] against truth [n]."""
    false_rate, true_rate, thresholds = roc_curve(truth, scores, drop_intermediate=False)
    return float(thresholds[1:][np.argmax((true_rate - false_rate)[1:])])


def sensitive(truth: np.ndarray, scores: np.ndarray) -> float:
    """Give the highest threshold that finds at least 95 % of the second class: for screening."""
    _, true_rate, thresholds = roc_curve(truth, scores, drop_intermediate=False)
    return float(thresholds[1:][np.argmax(true_rate[1:] >= SENSITIVITY)])


RULES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "half": half,
    "youden": youden,
    "sensitivity_95": sensitive,
}

THRESHOLDS = np.arange(1, 100) / 100


def net_benefit_by_image(truth: np.ndarray, scores: np.ndarray, thresholds: np.ndarray = THRESHOLDS) -> np.ndarray:
    """Give each image's part in the net benefit of treating where the probability reaches a threshold.

    truth: bool [images]. scores: [runs, images]. The mean over images is true positives / n - false positives / n
    x t / (1 - t): whoever treats at probability t takes t / (1 - t) needless treatments for a needed one. Gives
    [images, thresholds], the mean over runs.
    """
    treated = (scores[:, :, None] >= thresholds).mean(axis=0)
    return treated * worth(truth, thresholds)


def worth(truth: np.ndarray, thresholds: np.ndarray = THRESHOLDS) -> np.ndarray:
    """Give what treating each image is worth [images, thresholds]; its mean is the benefit of treating all."""
    return np.where(truth[:, None], 1.0, -thresholds / (1 - thresholds))
