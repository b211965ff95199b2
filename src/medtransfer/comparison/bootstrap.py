"""Metrics under thousands of resamples of the test set's groups at once.

A resample draws groups with replacement; an image counts as often as its group was drawn. Everything here is
computed from such counts, so that one draw serves all variants and differences between them are paired
(Efron and Tibshirani 1993; groups as the unit: Field and Welsh 2007).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def draw_counts(groups: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Draw how often each image counts: int64 [resamples + 1, images]; the first row is the sample itself."""
    _, index = np.unique(groups, return_inverse=True)
    number = int(index.max()) + 1
    drawn = rng.multinomial(number, np.full(number, 1 / number), size=resamples)
    return np.concatenate([np.ones((1, number), dtype=np.int64), drawn])[:, index]


def confusion_counts(labels: np.ndarray, predicted: np.ndarray, classes: int, counts: np.ndarray) -> np.ndarray:
    """Give the confusion matrix of each resample: [resamples, label, prediction]."""
    cell = labels * classes + predicted
    indicator = np.zeros((len(labels), classes * classes), dtype=np.float32)
    indicator[np.arange(len(labels)), cell] = 1
    return (counts.astype(np.float32) @ indicator).reshape(-1, classes, classes).astype(np.float64)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Give the share of right images of each resample."""
    return np.asarray(np.trace(confusion, axis1=1, axis2=2) / confusion.sum(axis=(1, 2)))


def balanced_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Give the mean recall over the classes that have images in the resample."""
    return _macro(_recall(confusion), confusion)


def f1_macro(confusion: np.ndarray) -> np.ndarray:
    """Give the mean F1 over the classes that have images in the resample."""
    return _macro(_f1(confusion), confusion)


def f1_weighted(confusion: np.ndarray) -> np.ndarray:
    """Give the F1 averaged over classes by their images in the resample."""
    support = confusion.sum(axis=2)
    return np.asarray((_f1(confusion) * support).sum(axis=1) / support.sum(axis=1))


def roc_auc(labels: np.ndarray, scores: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Give the area under the ROC curve of each resample: the macro mean of each class against the rest.

    labels: [images]. scores: [images, classes]; for two classes the second's area is given. counts:
    [resamples, images]. A class that is absent from a resample, or alone in it, is left out there.
    """
    columns = range(scores.shape[1]) if scores.shape[1] > 2 else [1]
    areas = np.stack([_binary_auc(labels == number, scores[:, number], counts) for number in columns])
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nansum(areas, axis=0) / np.isfinite(areas).sum(axis=0))


def percentile_interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    """Give the percentile interval of resampled values; undefined ones are left out."""
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _binary_auc(truth: np.ndarray, scores: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Count, for each resample, the pairs in which a positive scores above a negative; ties count half."""
    order = np.argsort(scores, kind="stable")
    positive = (counts[:, order] * truth[order]).astype(np.float64)
    negative = (counts[:, order] * ~truth[order]).astype(np.float64)
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])
    positive = np.add.reduceat(positive, starts, axis=1)
    negative = np.add.reduceat(negative, starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray((positive * below).sum(axis=1) / np.where(pairs > 0, pairs, np.nan))


def _recall(confusion: np.ndarray) -> np.ndarray:
    right = np.diagonal(confusion, axis1=1, axis2=2)
    return np.asarray(right / np.maximum(confusion.sum(axis=2), 1))


def _f1(confusion: np.ndarray) -> np.ndarray:
    right = np.diagonal(confusion, axis1=1, axis2=2)
    return np.asarray(2 * right / np.maximum(confusion.sum(axis=1) + confusion.sum(axis=2), 1))


def _macro(values: np.ndarray, confusion: np.ndarray) -> np.ndarray:
    present = confusion.sum(axis=2) > 0
    return np.asarray((values * present).sum(axis=1) / present.sum(axis=1))
