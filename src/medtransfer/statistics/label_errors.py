"""Labels that may be wrong, from predictions of images that did not train: confident learning.

Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LabelDoubts:
    """What predictions say of each label: arrays [images].

    suspect: whether another class is confidently predicted. suggested: that class, or else the most probable other one.
    margin: the probability of the label less that of the most probable other class; the lower, the less it is believed.
    """

    suspect: np.ndarray
    suggested: np.ndarray
    margin: np.ndarray

    @property
    def order(self) -> np.ndarray:
        """The images, suspect ones first, each kind from the lowest margin up."""
        return np.lexsort((self.margin, ~self.suspect))


def label_doubts(labels: np.ndarray, probabilities: np.ndarray) -> LabelDoubts:
    """Judge labels, int [images], by out-of-fold probabilities [images, classes].

    A class is confidently predicted if its probability is at least its mean over the images that are labelled with it;
    of several such classes, the most probable one is. An image is suspect if that is not its label.
    """
    images, classes = probabilities.shape
    rows = np.arange(images)
    own = probabilities[rows, labels]
    thresholds = np.array(
        [own[labels == number].mean() if (labels == number).any() else np.inf for number in range(classes)]
    )
    confident = np.where(probabilities >= thresholds, probabilities, -np.inf)
    chosen = confident.argmax(axis=1)
    suspect = np.isfinite(confident[rows, chosen]) & (chosen != labels)
    others = probabilities.copy()
    others[rows, labels] = -np.inf
    second = others.argmax(axis=1)
    return LabelDoubts(suspect, np.where(suspect, chosen, second), own - probabilities[rows, second])
