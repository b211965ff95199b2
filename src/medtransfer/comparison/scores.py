"""What a variant got on the test images, in the shapes that the statistics take; all that they ask of a task; Each variant's metrics: their values, their intervals, and what they are in every resample."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from medtransfer.comparison.metrics import METRICS
from medtransfer.comparison.test_set import TestSet
from medtransfer.statistics.areas import macro_areas
from medtransfer.statistics.calibration import LEAST_PROBABILITY
from medtransfer.statistics.class_counts import CLASS_METRICS, ClassCounts, count_classes
from medtransfer.statistics.intervals import (
    joint_freedom,
    standard_error,
    tail_freedom,
    transformed_interval,
    wilson_interval,
)
from medtransfer.statistics.paired_tests import auc_influence
from medtransfer.statistics.resampling import Resamples
from medtransfer.tasks.classes.predictions import Predictions
from medtransfer.tasks.masks.predictions import MaskPredictions
from medtransfer.tasks.names import MASK_METRICS
from medtransfer.tasks.reading import AnyPredictions


@dataclass(frozen=True)
class Outcomes:
    """The test images as each run of a variant saw them, in the order of the test set.

    values: metrics that are a mean over images, float [runs, images] each, nan where an image has none. labels: int
    [images], and probabilities [runs, images, classes], for the metrics of predicted classes and of ranks; None
    where the task has no classes.
    """

    values: dict[str, np.ndarray] = field(default_factory=dict)
    labels: np.ndarray | None = None
    probabilities: np.ndarray | None = None

    @property
    def right(self) -> np.ndarray | None:
        """Which images each run predicts right: bool [runs, images]; None without classes."""
        if self.labels is None or self.probabilities is None:
            return None
        return np.asarray(self.probabilities.argmax(axis=2) == self.labels)


def outcomes_of(test: AnyPredictions) -> Outcomes:
    """Read the outcomes of a variant off its test predictions."""
    if isinstance(test, MaskPredictions):
        return Outcomes({metric: test.values(metric) for metric in MASK_METRICS})
    return classification_outcomes(test)


def classification_outcomes(test: Predictions) -> Outcomes:
    """Read the outcomes of a classification off its test predictions."""
    labels, probabilities = test.images["label"].to_numpy(), test.replicates
    classes = probabilities.shape[2]
    clipped = np.clip(probabilities.astype(np.float64), LEAST_PROBABILITY, 1.0)
    chosen = clipped[:, np.arange(len(labels)), labels] / clipped.sum(axis=2)
    squares = ((probabilities - np.eye(classes)[labels]) ** 2).sum(axis=2)
    values = {"log_loss": -np.log(chosen), "brier": squares / 2 if classes == 2 else squares}
    return Outcomes(values, labels, probabilities)


PLAIN_PROPORTIONS = ("accuracy", "recall_weighted")
CLASS_VALUES = ("precision", "recall", "f1")
OF_TWO = {
    "sensitivity": ("recall", 1),
    "specificity": ("recall", 0),
    "precision_positive": ("precision", 1),
    "f1_positive": ("f1", 1),
}
"""Metrics of two classes that are values of one of them."""


@dataclass(frozen=True)
class Estimate:
    """A value, the mean over runs; its standard deviation over runs; its standard error and interval over images."""

    value: float
    spread: float
    error: float
    low: float
    high: float


@dataclass(frozen=True)
class Scores:
    """What one variant scores.

    estimates: by metric. resampled: float [resamples] by metric, the mean over runs; those `OF_TWO` classes have none.
    of_classes: for precision, recall and f1, an estimate a class. right: int [groups], right images summed over runs,
    and influence: [groups] on the area under the ROC curve; None without classes.
    """

    estimates: dict[str, Estimate]
    resampled: dict[str, np.ndarray]
    of_classes: dict[str, list[Estimate]]
    right: np.ndarray | None
    influence: np.ndarray | None


def score(outcomes: Outcomes, test: TestSet, confidence: float) -> Scores:
    """Compute all metrics of a variant's outcomes, their intervals, and their values in every resample."""
    value, counts = _compute(outcomes, test.sample)
    drawn, drawn_counts = _compute(outcomes, test.resamples)
    influence = _influence(outcomes, test)
    resampled = {name: values.mean(axis=0) for name, values in drawn.items()}
    freedom = {"images": test.groups - 1.0, "classes": test.freedom_of_classes, "pairs": test.freedom_of_classes}
    if influence is not None:
        freedom["pairs"] = joint_freedom(freedom["classes"], tail_freedom(influence), test.groups)
    estimates = {
        name: _estimate(name, values[:, 0], resampled[name], freedom[METRICS[name].over], test, confidence)
        for name, values in value.items()
    }
    of_classes = _of_classes(counts, drawn_counts, test, confidence)
    if len(test.classes) == 2 and of_classes:
        estimates |= {name: of_classes[value][number] for name, (value, number) in OF_TWO.items()}
    right = outcomes.right
    return Scores(
        estimates,
        resampled,
        of_classes,
        None if right is None else np.bincount(test.sample.group, weights=right.sum(axis=0)).astype(int),
        influence,
    )


def _compute(outcomes: Outcomes, resamples: Resamples) -> tuple[dict[str, np.ndarray], list[ClassCounts]]:
    """Give each metric [runs, resamples], and the counts by class of each run."""
    found = {name: resamples.means_of_known(values.T).T for name, values in outcomes.values.items()}
    if outcomes.labels is None or outcomes.probabilities is None:
        return found, []
    classes = outcomes.probabilities.shape[2]
    counts = count_classes(outcomes.labels, outcomes.probabilities.argmax(axis=2), classes, resamples)
    found |= {name: np.stack([metric(run) for run in counts]) for name, metric in CLASS_METRICS.items()}
    areas = [macro_areas(outcomes.labels, scores, resamples) for scores in outcomes.probabilities]
    found["roc_auc"] = np.stack([area.roc for area in areas])
    found["pr_auc"] = np.stack([area.precision_recall for area in areas])
    return found, counts


def _influence(outcomes: Outcomes, test: TestSet) -> np.ndarray | None:
    if outcomes.labels is None or outcomes.probabilities is None:
        return None
    runs = [auc_influence(outcomes.labels, scores, test.sample.group) for scores in outcomes.probabilities]
    return np.mean(runs, axis=0)


def _estimate(
    name: str, runs: np.ndarray, resampled: np.ndarray, freedom: float, test: TestSet, confidence: float
) -> Estimate:
    value, error = float(runs.mean()), standard_error(resampled, test.groups)
    low, high = transformed_interval(value, error, freedom, confidence, METRICS[name].bounds)
    if name in PLAIN_PROPORTIONS and len(runs) == 1 and test.single:
        low, high = wilson_interval(round(value * len(test.images)), len(test.images), confidence)
    return Estimate(value, _spread(runs), error, low, high)


def _of_classes(
    counts: list[ClassCounts], drawn: list[ClassCounts], test: TestSet, confidence: float
) -> dict[str, list[Estimate]]:
    """Estimate precision, recall and F1 of each class; a class without test images has none."""
    found: dict[str, list[Estimate]] = {}
    for name in CLASS_VALUES if counts else ():
        runs = np.stack([getattr(run, name)[0] for run in counts])
        base = "predicted" if name == "precision" else "labelled"
        resampled = np.mean([np.where(getattr(run, base) > 0, getattr(run, name), np.nan) for run in drawn], axis=0)
        found[name] = []
        for number, groups in enumerate(test.groups_of_class):
            value = float(runs[:, number].mean()) if groups else float("nan")
            error = standard_error(resampled[:, number], test.groups)
            freedom = max(float(groups) - 1, 1.0)
            interval = transformed_interval(value, error, freedom, confidence)
            found[name].append(Estimate(value, _spread(runs[:, number]), error, *interval))
    return found


def _spread(runs: np.ndarray) -> float:
    return float(runs.std(ddof=1)) if len(runs) > 1 else float("nan")
