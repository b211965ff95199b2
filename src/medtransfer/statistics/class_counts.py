"""Counts of labels and predictions by class, for any number of test sets at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtransfer.statistics.resampling import Resamples


@dataclass(frozen=True)
class ClassCounts:
    """How many images each class labels, how many are predicted as it, and how many are both: [..., classes].

    Averages over classes take those that label an image of the test set; a share of 0 images is 0.
    """

    labelled: np.ndarray
    predicted: np.ndarray
    right: np.ndarray

    @property
    def precision(self) -> np.ndarray:
        """The share of a class's predictions that are right."""
        return self.right / np.maximum(self.predicted, 1)

    @property
    def recall(self) -> np.ndarray:
        """The share of a class's images that are predicted as it."""
        return self.right / np.maximum(self.labelled, 1)

    @property
    def f1(self) -> np.ndarray:
        """The harmonic mean of precision and recall."""
        return 2 * self.right / np.maximum(self.labelled + self.predicted, 1)

    @property
    def images(self) -> np.ndarray:
        """The number of images: [...]."""
        return self.labelled.sum(axis=-1)

    def known(self, value: str) -> np.ndarray:
        """Return `precision`, `recall` or `f1` of the classes, nan for a class without predictions or images."""
        return np.where((self.predicted if value == "precision" else self.labelled) > 0, getattr(self, value), np.nan)

    def macro(self, values: np.ndarray) -> np.ndarray:
        """Average values of the classes [..., classes]."""
        present = self.labelled > 0
        return (values * present).sum(axis=-1) / present.sum(axis=-1)

    def weighted(self, values: np.ndarray) -> np.ndarray:
        """Average values of the classes [..., classes], weighted by their images."""
        return (values * self.labelled).sum(axis=-1) / self.images


def count_classes(labels: np.ndarray, predicted: np.ndarray, classes: int, resamples: Resamples) -> ClassCounts:
    """Count the classes of labels [images] and predictions [images] in each resample: [resamples, classes]."""
    right = np.where(predicted == labels, labels, classes)
    return ClassCounts(*(resamples.tally(of, classes).astype(np.float64) for of in (labels, predicted, right)))
