"""Temperature scaling: one number, fitted on validation rows, that makes probabilities softer or sharper.

Guo et al. 2017, "On Calibration of Modern Neural Networks".
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from medtransfer.evaluation.classification import LEAST_PROBABILITY

RANGE = (0.02, 50.0)


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Find the temperature with the least log loss of labels [n] under probabilities [n, classes], within 0.02 to 50.

    The loss has one minimum in 1 / temperature, in which it is convex.
    """
    logits = _logits(probabilities)
    rows = np.arange(len(labels))

    def loss(inverse: float) -> float:
        return float(-log_softmax(logits * inverse, axis=1)[rows, labels].mean())

    found = minimize_scalar(loss, bounds=(1 / RANGE[1], 1 / RANGE[0]), method="bounded", options={"xatol": 1e-6})
    return 1 / float(found.x)


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Give probabilities [n, classes] at a temperature: raised to its inverse and made to sum to 1."""
    return softmax(_logits(probabilities) / temperature, axis=1)


def _logits(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities.astype(np.float64), LEAST_PROBABILITY))
