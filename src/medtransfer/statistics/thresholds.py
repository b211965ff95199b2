"""Operating points and decision curves of a binary task, by thresholds on the probability of its second class."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

SENSITIVITY = 0.95


def half(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return 0.5, above which the second class is the more probable one, whatever the validation rows are."""
    del truth, scores
    return 0.5


def youden(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return the threshold of scores [n] with the greatest sensitivity + specificity for truth [n] (Youden 1950)."""
    from sklearn.metrics import roc_curve

    false_rate, true_rate, thresholds = roc_curve(truth, scores, drop_intermediate=False)
    return float(thresholds[1:][np.argmax((true_rate - false_rate)[1:])])


def sensitive(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return the highest threshold with a sensitivity of at least 95 %, as for screening."""
    from sklearn.metrics import roc_curve

    _, true_rate, thresholds = roc_curve(truth, scores, drop_intermediate=False)
    return float(thresholds[1:][np.argmax(true_rate[1:] >= SENSITIVITY)])


THRESHOLD_RULES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "half": half,
    "youden": youden,
    "sensitivity_95": sensitive,
}

THRESHOLDS = np.arange(1, 100) / 100


def net_benefit_by_image(truth: np.ndarray, scores: np.ndarray, thresholds: np.ndarray = THRESHOLDS) -> np.ndarray:
    """Return each image's contribution to the net benefit of treating above a threshold: [images, thresholds].

    truth: bool [images]. scores: [runs, images]; the result is the mean over runs. Its mean over images is true
    positives / n - false positives / n x t / (1 - t): to treat at probability t is to accept t / (1 - t) needless
    treatments for each needed one.
    """
    treated = (scores[:, :, None] >= thresholds).mean(axis=0)
    return treated * benefit_of_treating(truth, thresholds)


def benefit_of_treating(truth: np.ndarray, thresholds: np.ndarray = THRESHOLDS) -> np.ndarray:
    """Return the benefit of treating each image [images, thresholds]; its mean is that of treating all."""
    return np.where(truth[:, None], 1.0, -thresholds / (1 - thresholds))
