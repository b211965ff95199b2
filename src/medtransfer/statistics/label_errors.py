"""Labels that may be wrong, from predictions of images that did not train: confident learning, and outliers.

Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FAR = 3.5
"""Normal residuals are beyond it once in 2,000 (Iglewicz and Hoaglin 1993, "How to Detect and Handle Outliers")."""


@dataclass(frozen=True)
class LabelDoubts:
    """The judgement of each label by predictions: arrays [images].

    suspect: whether another label is confidently predicted. suggested: for classes, that class, or else the most
    probable other one; for findings, the least plausible one; for numbers, the predicted number.
    margin: the lower, the less plausible the label. For classes and findings it is the probability of the label less
    that of the most probable other one; for numbers, minus the distance from the prediction in robust standard
    deviations.
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


def finding_doubts(values: np.ndarray, probabilities: np.ndarray) -> LabelDoubts:
    """Judge each finding of images as two classes, and keep the least plausible one of each image.

    values: [images, findings], 1 if present, nan if not known; probabilities: those of presence. The margin of an image
    without any known finding is infinite.
    """
    suspect, margin = np.zeros(values.shape, bool), np.full(values.shape, np.inf)
    for number in range(values.shape[1]):
        known = np.isfinite(values[:, number])
        present = probabilities[known, number]
        doubts = label_doubts(values[known, number].astype(int), np.stack([1 - present, present], axis=1))
        suspect[known, number], margin[known, number] = doubts.suspect, doubts.margin
    least = np.where(suspect, margin - 2, margin).argmin(axis=1)  # margins are from -1 to 1: suspect findings first
    rows = np.arange(len(values))
    return LabelDoubts(suspect[rows, least], least, margin[rows, least])


def number_doubts(values: np.ndarray, predicted: np.ndarray) -> LabelDoubts:
    """Judge numbers, [images], by out-of-fold predictions; beyond `FAR` robust standard deviations they are suspect.

    Residuals are taken from their median, and scaled by 1.4826 times their median absolute deviation, which is the
    standard deviation of normal ones.
    """
    residuals = predicted - values
    distance = np.abs(residuals - np.median(residuals))
    scale = 1.4826 * np.median(distance)
    margin = -np.divide(distance, scale, out=np.where(distance > 0, np.inf, 0.0), where=scale > 0)
    return LabelDoubts(margin < -FAR, predicted, margin)
