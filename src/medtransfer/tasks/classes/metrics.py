"""Metrics of class probabilities against labels; What predictions say on the test rows: by run, on average, by class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics
from sklearn.metrics import confusion_matrix

from medtransfer.statistics.calibration import LEAST_PROBABILITY, expected_calibration_error
from medtransfer.tasks.classes.predictions import Predictions
from medtransfer.tasks.names import BINARY_METRICS, CLASS_METRICS


def classification_metrics(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Compute every metric of one run.

    labels: [n], class numbers. probabilities: [n, classes], each row summing to 1. The predicted class is
    the most probable one. Averages over classes (macro, weighted, AUC) take the classes that have a label
    among the n; where fewer than two have, the AUCs are not defined (nan). roc_auc and pr_auc: each class
    against the rest, the macro mean; for two classes those of the second class. pr_auc: average precision.
    brier: the sum of squares over classes, halved for two classes. ece: see `expected_calibration_error`.
    Two classes have `BINARY_METRICS` too, a share of nothing being 0.
    """
    predicted = probabilities.argmax(axis=1)
    present = np.unique(labels)
    found: dict[str, float] = {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": metrics.recall_score(labels, predicted, labels=present, average="macro", zero_division=0),
    }
    for average in ("weighted", "macro"):
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(
            labels, predicted, labels=present, average=average, zero_division=0
        )
        found |= {f"precision_{average}": precision, f"recall_{average}": recall, f"f1_{average}": f1}
    found["roc_auc"], found["pr_auc"] = _areas(labels, probabilities, present)
    classes = np.arange(probabilities.shape[1])
    clipped = np.clip(probabilities.astype(np.float64), LEAST_PROBABILITY, 1.0)
    found |= {
        "mcc": metrics.matthews_corrcoef(labels, predicted),
        "kappa": metrics.cohen_kappa_score(labels, predicted, labels=classes),
        "log_loss": metrics.log_loss(labels, clipped / clipped.sum(axis=1, keepdims=True), labels=classes),
        "brier": _brier(labels, probabilities),
        "ece": expected_calibration_error(labels, probabilities),
    }
    if len(classes) == 2:
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(
            labels, predicted, labels=classes, zero_division=0
        )
        found |= dict(zip(BINARY_METRICS, (recall[1], recall[0], precision[1], f1[1]), strict=True))
    return {name: float(found[name]) for name in (*CLASS_METRICS, *BINARY_METRICS) if name in found}


def per_class_metrics(labels: np.ndarray, probabilities: np.ndarray, classes: list[str]) -> dict[str, Any]:
    """Give precision, recall, F1 and the number of labels of each class; precision and recall of none are 0."""
    numbers = np.arange(len(classes))
    values = metrics.precision_recall_fscore_support(
        labels, probabilities.argmax(axis=1), labels=numbers, zero_division=0
    )
    names = ("precision", "recall", "f1", "labels")
    return {
        name: {key: float(column[number]) for key, column in zip(names, values, strict=True)}
        for number, name in enumerate(classes)
    }


def _areas(labels: np.ndarray, probabilities: np.ndarray, present: np.ndarray) -> tuple[float, float]:
    if len(present) < 2:
        return float("nan"), float("nan")
    scored = present if probabilities.shape[1] > 2 else [1]
    pairs = [(labels == number, probabilities[:, number]) for number in scored]
    roc = np.mean([metrics.roc_auc_score(truth, score) for truth, score in pairs])
    precision_recall = np.mean([metrics.average_precision_score(truth, score) for truth, score in pairs])
    return float(roc), float(precision_recall)


def _brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    truth = np.eye(probabilities.shape[1])[labels]
    total = ((probabilities - truth) ** 2).sum(axis=1).mean()
    return float(total / 2 if probabilities.shape[1] == 2 else total)


def evaluate_predictions(predictions: Predictions) -> dict[str, Any]:
    """Compute the test metrics of every run, their mean and standard deviation, and the classes' own.

    The confusion matrix [label][prediction] and the per-class values are over all runs together.
    """
    test = predictions.of_role("test")
    runs = {
        f"fold{fold}_seed{seed}": classification_metrics(labels, scores)
        for (fold, seed), (labels, scores) in test.runs().items()
    }
    values = pd.DataFrame(runs.values())
    scores = np.concatenate([scores for _, scores in test.runs().values()])
    ordered = np.concatenate([labels for labels, _ in test.runs().values()])
    matrix = confusion_matrix(ordered, scores.argmax(axis=1), labels=np.arange(len(test.classes)))
    return {
        "runs": {run: {name: _number(value) for name, value in found.items()} for run, found in runs.items()},
        "mean": {name: _number(values[name].mean()) for name in values},
        "sd": {name: _number(values[name].std(ddof=1)) for name in values},
        "classes": per_class_metrics(ordered, scores, test.classes),
        "confusion": matrix.tolist(),
        "test_images": len(test.images),
    }


def _number(value: float) -> float | None:
    """Give a value that JSON has a word for: None where it is not defined."""
    return None if np.isnan(value) else float(value)
