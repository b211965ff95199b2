"""What a variant got on the test images, in the shapes that the statistics take; all that they ask of a task."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from medtransfer.evaluation.classification import LEAST_PROBABILITY
from medtransfer.evaluation.mask_predictions import MaskPredictions
from medtransfer.evaluation.names import MASK_METRICS
from medtransfer.evaluation.predictions import Predictions
from medtransfer.evaluation.reading import AnyPredictions


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
