"""Areas under ROC and precision-recall curves of thousands of resamples at once, and what each image adds to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medtransfer.statistics.resampling import Resamples


@dataclass(frozen=True)
class Areas:
    """The area under the ROC curve and the average precision of each resample: [resamples].

    They are nan where the resample lacks images of the class, or of the rest.
    """

    roc: np.ndarray
    precision_recall: np.ndarray


def class_areas(truth: np.ndarray, scores: np.ndarray, resamples: Resamples) -> Areas:
    """Compute the areas of scores [images] against truth, bool [images], whether an image is of the class.

    ROC: the share of pairs in which an image of the class scores above another, ties counting half. Average
    precision: the mean, over images of the class, of the precision at their score. Only the scores of the class
    are thresholds; the other images are counted between them.
    """
    own, others = _by_score(truth, scores), _by_score(~truth, scores)
    if not (len(own) and len(others)):
        return Areas(*np.full((2, len(resamples.counts)), np.nan))
    starts = np.flatnonzero(np.diff(scores[own], prepend=-np.inf))
    thresholds, levels = scores[own][starts], scores[others]
    past, first = (np.searchsorted(levels, thresholds, side) for side in ("left", "right"))
    below = resamples.counter(others, np.append(past, len(others)))
    tied = np.flatnonzero(first > past)
    ties = resamples.counter(others[np.isin(levels, thresholds[tied])], np.cumsum((first - past)[tied]))
    found = []
    for block in resamples.blocks:
        at = block[resamples.group[own]]
        if len(starts) < len(own):
            at = np.add.reduceat(at, starts, axis=0, dtype=block.dtype)
        weights = at.astype(resamples.counts.dtype)
        pairs = np.einsum("tr,tr->r", weights[tied], (ties @ block).astype(weights.dtype)) / 2
        found.append(_areas(at, weights, below @ block, pairs))
    return Areas(*(np.concatenate(part) for part in zip(*found, strict=True)))


def macro_areas(labels: np.ndarray, probabilities: np.ndarray, resamples: Resamples) -> Areas:
    """Average the areas of each class against the rest; of two classes, return those of the second.

    labels: [images], class numbers. probabilities: [images, classes]. A class that is absent from a resample, or the
    only one in it, is left out of the average.
    """
    numbers = [1] if probabilities.shape[1] == 2 else np.unique(labels)
    areas = [class_areas(labels == number, probabilities[:, number], resamples) for number in numbers]
    return mean_areas(areas)


def mean_areas(areas: Sequence[Areas]) -> Areas:
    """Average areas, leaving out those that are not defined in a resample."""
    return Areas(_mean([area.roc for area in areas]), _mean([area.precision_recall for area in areas]))


def auc_influence(labels: np.ndarray, probabilities: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return each group's influence on the area under the ROC curve: [groups]; their squares sum to its variance.

    labels: [images], class numbers. probabilities: [images, classes]. group: int [images]. The area is that of
    `macro_areas`. If every image is its own group and there are two classes, the variance is DeLong's.
    """
    numbers = [1] if probabilities.shape[1] == 2 else np.unique(labels)
    return mean_influence((labels[:, None] == numbers).astype(float), probabilities[:, numbers], group)


def mean_influence(truth: np.ndarray, scores: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return each group's influence on the mean of areas under ROC curves, leaving out those that are not defined.

    truth: float [images, curves], 1, 0 or, if not known, nan. scores: [images, curves].
    """
    parts = []
    for own, values in zip(truth.T, scores.T, strict=True):
        known = np.isfinite(own)
        positive = own[known] == 1
        if 0 < positive.sum() < len(positive):
            part = np.zeros(len(own))
            part[known] = _influence(positive, values[known])
            parts.append(part)
    return np.bincount(group, weights=np.mean(parts, axis=0) if parts else np.zeros(len(truth)))


def _by_score(chosen: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """List the chosen images, the lowest score first."""
    return np.flatnonzero(chosen)[np.argsort(scores[chosen])]


def _areas(at: np.ndarray, weights: np.ndarray, below: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute both areas from counts of the class at each threshold, and of the others between them, lowest first.

    weights: `at` as floats; both [thresholds, resamples]. below: [thresholds + 1, resamples], others by how many
    thresholds they reach. pairs: [resamples], what ties add to the pairs in which the class scores above another.
    """
    lower = _summed_up(below)
    others = lower[-1].copy()
    lower = lower[:-1]
    pairs = pairs + np.einsum("tr,tr->r", weights, lower.astype(weights.dtype))
    above = _summed_up(at[::-1])[::-1]
    positives = above[0].astype(np.float64)
    reached = np.subtract(others, lower, out=lower)
    reached += above
    precision = np.divide(above, np.maximum(reached, 1, out=reached), dtype=weights.dtype)
    with np.errstate(invalid="ignore", divide="ignore"):
        roc = pairs / (positives * others)
        average = np.where(others > 0, np.einsum("tr,tr->r", weights, precision) / positives, np.nan)
    return roc, average


def _summed_up(counts: np.ndarray) -> np.ndarray:
    """Compute the cumulative sum over rows: within parts, then over parts.

    `np.cumsum` down columns takes five times as long, and adding row by row makes threads wait for each other.
    """
    rows, columns = counts.shape
    width = max(math.isqrt(rows), 1)
    found = np.zeros((-(-rows // width) * width, columns), counts.dtype)
    found[:rows] = counts
    parts = found.reshape(-1, width, columns)
    for row in range(1, width):
        parts[:, row] += parts[:, row - 1]
    for part in range(1, len(parts)):
        parts[part] += parts[part - 1, -1]
    return found[:rows]


def _mean(areas: list[np.ndarray]) -> np.ndarray:
    """Average over classes, leaving out those without a value."""
    stacked = np.array(areas)
    known = np.isfinite(stacked)
    with np.errstate(invalid="ignore"):
        return np.where(known, stacked, 0).sum(axis=0) / known.sum(axis=0)


def _influence(truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the structural components [images], centred and scaled so that their sum of squares is the variance."""
    found = np.zeros(len(scores))
    for side, sign in ((truth, 1), (~truth, -1)):
        own, other = sign * scores[side], np.sort(sign * scores[~side])
        beaten = (np.searchsorted(other, own, "left") + np.searchsorted(other, own, "right")) / 2 / len(other)
        found[side] = (beaten - beaten.mean()) / math.sqrt(len(own) * max(len(own) - 1, 1))
    return found
