"""Decision curves: whether acting on a model does more good than harm.

Vickers and Elkin 2006, "Decision Curve Analysis: A Novel Method for Evaluating Prediction Models".
"""

from __future__ import annotations

import numpy as np

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
