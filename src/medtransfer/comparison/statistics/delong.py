"""What each image adds to the area under a ROC curve, and so how far two such areas may differ by chance.

DeLong, DeLong and Clarke-Pearson 1988, "Comparing the Areas under Two or More Correlated Receiver Operating
Characteristic Curves"; images of a group added up as Obuchowski (1997) does.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import norm

ROUNDING = 1e-12
"""What is left of the variance of equal numbers."""


def auc_influence(labels: np.ndarray, probabilities: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Give each group's share in the error of the area: [groups], whose sum of squares is the area's variance.

    labels: [images], class numbers. probabilities: [images, classes]. group: int [images]. The area is the
    macro mean of each class against the rest; for two classes that of the second. Where every image is a group
    and there are two classes, the variance is DeLong's to the last digit.
    """
    numbers = [1] if probabilities.shape[1] == 2 else np.unique(labels)
    truths = [labels == number for number in numbers]
    parts = [
        _influence(truth, probabilities[:, number])
        for truth, number in zip(truths, numbers, strict=True)
        if 0 < truth.sum() < len(truth)
    ]
    total = np.sum(parts, axis=0) / max(len(parts), 1) if parts else np.zeros(len(labels))
    return np.bincount(group, weights=total)


def delong_test(difference: float, influence: np.ndarray) -> float:
    """Give the two-sided p value of a difference between two areas from the difference of their influences [groups]."""
    error = math.sqrt(float((influence**2).sum()))
    if error < ROUNDING:
        return 1.0 if difference == 0 else 0.0
    return float(2 * norm.sf(abs(difference) / error))


def _influence(truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Give the structural components, centred and scaled so that their sum of squares is the variance."""
    found = np.zeros(len(scores))
    for side, sign in ((truth, 1), (~truth, -1)):
        own, other = sign * scores[side], np.sort(sign * scores[~side])
        beaten = (np.searchsorted(other, own, "left") + np.searchsorted(other, own, "right")) / 2 / len(other)
        found[side] = (beaten - beaten.mean()) / math.sqrt(len(own) * max(len(own) - 1, 1))
    return found
