"""Metrics of predicted classes, of any number of test sets at once, from counts by class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from medtransfer.statistics.resampling import Resamples


@dataclass(frozen=True)
class ClassCounts:
    """How many images each class labels, how many are predicted as it, and how many both: [..., classes].

    Averages over classes take those that label an image of the test set; a share of nothing is 0.
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

    def macro(self, values: np.ndarray) -> np.ndarray:
        """Average values of the classes [..., classes]."""
        present = self.labelled > 0
        return (values * present).sum(axis=-1) / present.sum(axis=-1)

    def weighted(self, values: np.ndarray) -> np.ndarray:
        """Average values of the classes [..., classes] by their images."""
        return (values * self.labelled).sum(axis=-1) / self.images


def matthews(counts: ClassCounts) -> np.ndarray:
    """Give Matthews' correlation coefficient for any number of classes (Gorodkin 2004); 0 where it has no value."""
    images, right = counts.images, counts.right.sum(axis=-1)
    shared = (counts.labelled * counts.predicted).sum(axis=-1)
    spread = [images**2 - (of**2).sum(axis=-1) for of in (counts.labelled, counts.predicted)]
    root = np.sqrt(spread[0] * spread[1])
    return np.where(root > 0, right * images - shared, 0) / np.where(root > 0, root, 1)


def kappa(counts: ClassCounts) -> np.ndarray:
    """Give Cohen's kappa; nan where agreement by chance is certain."""
    images = counts.images
    chance = (counts.labelled * counts.predicted).sum(axis=-1) / images**2
    with np.errstate(invalid="ignore"):
        return (counts.right.sum(axis=-1) / images - chance) / np.where(chance < 1, 1 - chance, np.nan)


CLASS_METRICS: dict[str, Callable[[ClassCounts], np.ndarray]] = {
    "accuracy": lambda counts: counts.right.sum(axis=-1) / counts.images,
    "balanced_accuracy": lambda counts: counts.macro(counts.recall),
    "precision_weighted": lambda counts: counts.weighted(counts.precision),
    "recall_weighted": lambda counts: counts.weighted(counts.recall),
    "f1_weighted": lambda counts: counts.weighted(counts.f1),
    "precision_macro": lambda counts: counts.macro(counts.precision),
    "recall_macro": lambda counts: counts.macro(counts.recall),
    "f1_macro": lambda counts: counts.macro(counts.f1),
    "mcc": matthews,
    "kappa": kappa,
}


def count_classes(labels: np.ndarray, predicted: np.ndarray, classes: int, resamples: Resamples) -> list[ClassCounts]:
    """Count the classes of labels [images] and of each run's predictions [runs, images]: [resamples, classes] a run."""
    labelled = resamples.tally(labels, classes).astype(np.float64)
    found = []
    for run in predicted:
        right = resamples.tally(np.where(run == labels, labels, classes), classes)
        found.append(ClassCounts(labelled, resamples.tally(run, classes).astype(np.float64), right.astype(np.float64)))
    return found
