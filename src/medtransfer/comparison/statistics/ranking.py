"""Areas under ROC and precision-recall curves of thousands of resamples at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from medtransfer.comparison.statistics.resampling import Resamples


@dataclass(frozen=True)
class Areas:
    """Of each resample [resamples]: the area under the ROC curve, and the average precision.

    nan where the resample lacks images of the class, or of the rest.
    """

    roc: np.ndarray
    precision_recall: np.ndarray


def class_areas(truth: np.ndarray, scores: np.ndarray, resamples: Resamples) -> Areas:
    """Compute the areas of scores [images] against truth [images], which of them are of the class.

    ROC: the share of pairs in which an image of the class scores above another, ties counting half. Average
    precision: the mean, over images of the class, of the precision at their score. Only the scores of the class
    are thresholds: what else there is, is counted between two of them.
    """
    thresholds, place = np.unique(scores[truth], return_inverse=True)
    at = _counter(place, resamples.group[truth], len(thresholds), resamples.groups)
    others, group = scores[~truth], resamples.group[~truth]
    first = np.searchsorted(thresholds, others, "left")
    past = np.searchsorted(thresholds, others, "right")
    below = _counter(past, group, len(thresholds) + 1, resamples.groups)
    ties = None if (first == past).all() else _counter(first, group, len(thresholds) + 1, resamples.groups)
    found = [_areas(at @ block, below @ block, None if ties is None else ties @ block) for block in resamples.blocks]
    return Areas(*(np.concatenate(part) for part in zip(*found, strict=True)))


def macro_areas(labels: np.ndarray, probabilities: np.ndarray, resamples: Resamples) -> Areas:
    """Average the areas of each class against the rest; for two classes give those of the second.

    labels: [images], class numbers. probabilities: [images, classes]. A class that is absent from a resample,
    or alone in it, is left out there.
    """
    numbers = [1] if probabilities.shape[1] == 2 else np.unique(labels)
    areas = [class_areas(labels == number, probabilities[:, number], resamples) for number in numbers]
    return Areas(_mean([area.roc for area in areas]), _mean([area.precision_recall for area in areas]))


def _counter(place: np.ndarray, group: np.ndarray, places: int, groups: int) -> csr_array:
    """Make the matrix [places, groups] that sums the groups' counts at each place."""
    return csr_array((np.ones(len(place), np.float32), (place, group)), shape=(places, groups))


def _areas(at: np.ndarray, below: np.ndarray, ties: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Give both areas from counts of the class at each threshold, and of the others between them, lowest first.

    below: [thresholds + 1, resamples], others by the thresholds that they reach; ties: by those that they exceed.
    """
    _accumulate(below)
    others = below[-1].astype(np.float64)
    lower = below[:-1]
    if ties is not None:
        _accumulate(ties)
    pairs = np.einsum("tr,tr->r", at, lower if ties is None else (lower + ties[:-1]) / 2)
    above = at[::-1].copy()
    _accumulate(above)
    above = above[::-1]
    positives = above[0].astype(np.float64)
    reached = above + (below[-1] - lower)
    precision = np.divide(above, np.maximum(reached, 1, out=reached), out=reached)
    average = np.einsum("tr,tr->r", at, precision)
    with np.errstate(invalid="ignore", divide="ignore"):
        roc = pairs / (positives * others)
        average = np.where(others > 0, average / positives, np.nan)
    return roc, average


def _accumulate(counts: np.ndarray) -> None:
    """Sum rows up to each row, in place; row by row is six times as fast as `np.cumsum` down columns."""
    for row in range(1, len(counts)):
        np.add(counts[row - 1], counts[row], out=counts[row])


def _mean(areas: list[np.ndarray]) -> np.ndarray:
    """Average over classes, leaving out those without a value."""
    stacked = np.array(areas)
    known = np.isfinite(stacked)
    with np.errstate(invalid="ignore"):
        return np.where(known, stacked, 0).sum(axis=0) / known.sum(axis=0)
