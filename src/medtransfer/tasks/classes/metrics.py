"""The metrics of class probabilities, and of classes with an order.

Averages over classes (macro, weighted, areas) take the classes that label an image. The predicted class is the most
probable one. Of two classes the second is the positive one; see `data.labels.positive`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from medtransfer.statistics.areas import Areas, auc_influence, macro_areas
from medtransfer.statistics.calibration import LEAST_PROBABILITY, expected_calibration_error
from medtransfer.statistics.class_counts import ClassCounts, count_classes
from medtransfer.statistics.intervals import Bounds
from medtransfer.statistics.metrics import Outcomes, metric

CORRELATION, PENALTY = Bounds(-1.0, 1.0), Bounds(0.0, math.inf)
LOWER = {"lower_is_better": True, "bounds": PENALTY}
NEAR = 1
"""The most grades that a prediction within one is off."""


@dataclass(frozen=True)
class ClassOutcomes(Outcomes):
    """See `Outcomes`.

    labels: int [images], class numbers. probabilities: float32 [images, classes], each row summing to 1. costs: float
    [classes, classes], of predicting the second class for an image of the first; None if the study gives none.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    costs: np.ndarray | None = None

    @cached_property
    def predicted(self) -> np.ndarray:
        """The class predicted for each image, int [images]."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @cached_property
    def right(self) -> np.ndarray:
        """Whether each image's predicted class is its label, bool [images]."""
        return np.asarray(self.predicted == self.labels)

    @cached_property
    def counts(self) -> ClassCounts:
        """The counts of labels and predictions by class in each resample."""
        return count_classes(self.labels, self.predicted, self.probabilities.shape[1], self.weights)

    @cached_property
    def distances(self) -> np.ndarray:
        """The number of images in each resample by how many classes the prediction is off: [resamples, classes]."""
        off = np.abs(self.predicted - self.labels)
        return self.weights.tally(off, self.probabilities.shape[1]).astype(np.float64)

    @cached_property
    def areas(self) -> Areas:
        """The areas under the ROC and precision-recall curves in each resample."""
        return macro_areas(self.labels, self.probabilities, self.weights)

    @cached_property
    def influence(self) -> np.ndarray:
        """The influence of each group on the area under the ROC curve, float [groups]."""
        return auc_influence(self.labels, self.probabilities, self.weights.group)


def class_metric(
    name: str, title: str, *further: str, **described: Any
) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Return a decorator that registers a metric of classification and of further tasks; see `metric`."""
    return metric(name, title, "classification", *further, **described)


def averaged(average: str, value: str) -> Callable[[ClassOutcomes], np.ndarray]:
    """Return a metric: the `macro` or `weighted` average of a value of the classes."""
    return lambda run: np.asarray(getattr(run.counts, average)(getattr(run.counts, value)))


def of_one_class(value: str, number: int) -> Callable[[ClassOutcomes], np.ndarray]:
    """Return a metric: the value of one class, nan where its denominator is 0."""
    return lambda run: run.counts.known(value)[:, number]


@class_metric("accuracy", "Accuracy", "ordinal", proportion=True, headline=True, in_summary=True)
def accuracy(run: ClassOutcomes) -> np.ndarray:
    """Return the share of images that are predicted right."""
    return np.asarray(run.counts.right.sum(axis=-1) / run.counts.images)


class_metric("balanced_accuracy", "Balanced accuracy", "ordinal", average="classes", headline=True)(
    averaged("macro", "recall")
)
class_metric("precision_weighted", "Precision (weighted)")(averaged("weighted", "precision"))
class_metric("recall_weighted", "Recall (weighted)", proportion=True)(averaged("weighted", "recall"))
class_metric("f1_weighted", "F1 (weighted)", headline=True)(averaged("weighted", "f1"))
class_metric("precision_macro", "Precision (macro)", "multilabel", average="classes")(averaged("macro", "precision"))
class_metric("recall_macro", "Recall (macro)", "multilabel", average="classes")(averaged("macro", "recall"))
class_metric("f1_macro", "F1 (macro)", "multilabel", difference_average="classes", headline=True, in_summary=True)(
    averaged("macro", "f1")
)


@class_metric("roc_auc", "ROC-AUC", "multilabel", average="pairs", headline=True, in_summary=True)
def roc_auc(run: ClassOutcomes) -> np.ndarray:
    """Return the area under the ROC curve, each class against the rest, macro mean; see `macro_areas`."""
    return run.areas.roc


@class_metric("pr_auc", "PR-AUC", "multilabel", average="pairs")
def pr_auc(run: ClassOutcomes) -> np.ndarray:
    """Return the average precision, each class against the rest, macro mean; see `macro_areas`."""
    return run.areas.precision_recall


@class_metric("mcc", "MCC", bounds=CORRELATION)
def matthews_correlation(run: ClassOutcomes) -> np.ndarray:
    """Return Matthews' correlation coefficient for any number of classes (Gorodkin 2004); 0 where it is not defined."""
    counts, images, right = run.counts, run.counts.images, run.counts.right.sum(axis=-1)
    shared = (counts.labelled * counts.predicted).sum(axis=-1)
    spread = [images**2 - (of**2).sum(axis=-1) for of in (counts.labelled, counts.predicted)]
    root = np.sqrt(spread[0] * spread[1])
    return np.where(root > 0, right * images - shared, 0) / np.where(root > 0, root, 1)


@class_metric("kappa", "Kappa", bounds=CORRELATION)
def kappa(run: ClassOutcomes) -> np.ndarray:
    """Return Cohen's kappa; nan where chance alone makes labels and predictions agree."""
    counts, images = run.counts, run.counts.images
    chance = (counts.labelled * counts.predicted).sum(axis=-1) / images**2
    return np.asarray((counts.right.sum(axis=-1) / images - chance) / np.where(chance < 1, 1 - chance, np.nan))


@metric(
    "kappa_quadratic", "Quadratic kappa", "ordinal", on_request=("classification",), bounds=CORRELATION, headline=True,
    in_summary=True,
)  # fmt: skip
def quadratic_kappa(run: ClassOutcomes) -> np.ndarray:
    """Return kappa with disagreements weighted by the square of how many classes lie between (Cohen 1968).

    It is nan where labels and predictions are all one class.
    """
    number, images = np.arange(run.probabilities.shape[1]), run.counts.images
    observed = run.distances @ number**2
    labels, predictions = ((of @ number, of @ number**2) for of in (run.counts.labelled, run.counts.predicted))
    chance = labels[1] + predictions[1] - 2 * labels[0] * predictions[0] / images
    return np.where(chance > 0, 1 - observed / np.where(chance > 0, chance, 1), np.nan)


@metric("cost_weighted_accuracy", "Cost-weighted accuracy", on_request=("classification", "ordinal"), headline=True)
def cost_weighted_accuracy(run: ClassOutcomes) -> np.ndarray:
    """Return 1 - cost / worst cost: 1 if all predictions are right, 0 if each is the most costly one for its label.

    If all errors of a label cost the same, it is the accuracy in which images count by that cost. nan without labels
    that have a cost.
    """
    assert run.costs is not None
    costs = run.costs[run.labels]
    paid, worst = run.weights.totals(np.stack([costs[np.arange(len(costs)), run.predicted], costs.max(axis=1)], 1)).T
    with np.errstate(invalid="ignore"):
        return np.where(worst > 0, 1 - paid / worst, np.nan)


@class_metric("log_loss", "Log loss", "ordinal", **LOWER)
def log_loss(run: ClassOutcomes) -> np.ndarray:
    """Return the mean of -log of the label's probability, which counts as 1e-7 at least."""
    clipped = np.clip(run.probabilities.astype(np.float64), LEAST_PROBABILITY, 1.0)
    chosen = clipped[np.arange(len(run.labels)), run.labels] / clipped.sum(axis=1)
    return run.weights.mean(-np.log(chosen))


@class_metric("brier", "Brier score", "ordinal", **LOWER)
def brier_score(run: ClassOutcomes) -> np.ndarray:
    """Return the mean of the squared errors summed over classes, halved for two classes."""
    classes = run.probabilities.shape[1]
    squares = ((run.probabilities - np.eye(classes)[run.labels]) ** 2).sum(axis=1)
    return run.weights.mean(squares / 2 if classes == 2 else squares)


@class_metric("ece", "ECE", "ordinal", **LOWER, has_interval=False)
def calibration_error(run: ClassOutcomes) -> np.ndarray:
    """Return the expected calibration error; its bias depends on the number of images, which resampling changes."""
    return expected_calibration_error(run.labels, run.probabilities, run.weights)


binary_metric = partial(class_metric, binary=True, undefined=0.0)
binary_metric("sensitivity", "Sensitivity", average=1)(of_one_class("recall", 1))
binary_metric("specificity", "Specificity", average=0)(of_one_class("recall", 0))
binary_metric("precision_positive", "Precision (positive)", average=1)(of_one_class("precision", 1))
binary_metric("f1_positive", "F1 (positive)", average=1)(of_one_class("f1", 1))


# Of ordered classes: how many grades predictions are off, and whether images are ranked right.


@metric("mae_grades", "MAE (grades)", "ordinal", headline=True, in_summary=True, **LOWER)
def mean_absolute_error(run: ClassOutcomes) -> np.ndarray:
    """Return the mean number of grades that predictions are off."""
    return np.asarray(run.distances @ np.arange(run.probabilities.shape[1]) / run.counts.images)


@metric("balanced_mae_grades", "Balanced MAE (grades)", "ordinal", average="classes", headline=True, **LOWER)
def balanced_absolute_error(run: ClassOutcomes) -> np.ndarray:
    """Return the mean over grades with images of the mean absolute error (Baccianella et al. 2009)."""
    return _mean_over_labels(run, np.abs(run.predicted - run.labels))


@metric("within_one", "Within one grade", "ordinal", proportion=True, headline=True)
def within_one(run: ClassOutcomes) -> np.ndarray:
    """Return the share of predictions that are at most one grade off."""
    return np.asarray(run.distances[:, : NEAR + 1].sum(axis=-1) / run.counts.images)


@metric("balanced_within_one", "Balanced within one grade", "ordinal", average="classes")
def balanced_within_one(run: ClassOutcomes) -> np.ndarray:
    """Return the mean over grades with images of the share of predictions that are at most one grade off."""
    return _mean_over_labels(run, np.abs(run.predicted - run.labels) <= NEAR)


@metric("kendall_tau", "Kendall's tau", "ordinal", bounds=CORRELATION, headline=True)
def kendall_tau(run: ClassOutcomes) -> np.ndarray:
    """Return Kendall's tau-b (1945), which corrects for ties; nan where labels or predictions are all one grade."""
    classes = run.probabilities.shape[1]
    cells = run.weights.tally(run.labels * classes + run.predicted, classes**2).astype(np.float64)
    cells = cells.reshape(-1, classes, classes)
    later = cells.sum(axis=1, keepdims=True) - cells.cumsum(axis=1)  # images of higher labels, by their prediction
    below = later.cumsum(axis=2) - later
    agreeing = (cells * (later.sum(axis=2, keepdims=True) - later - 2 * below)).sum(axis=(1, 2))
    images = run.counts.images
    untied = [(images**2 - (of**2).sum(axis=-1)) / 2 for of in (run.counts.labelled, run.counts.predicted)]
    pairs = np.sqrt(untied[0]) * np.sqrt(untied[1])
    return np.where(pairs > 0, agreeing / np.where(pairs > 0, pairs, 1), np.nan)


def _mean_over_labels(run: ClassOutcomes, values: np.ndarray) -> np.ndarray:
    """Average values [images] within each label, then over the labels with images: [resamples]."""
    of_label = np.eye(run.probabilities.shape[1])[run.labels] * values[:, None]
    return run.counts.macro(run.weights.totals(of_label) / np.maximum(run.counts.labelled, 1))
