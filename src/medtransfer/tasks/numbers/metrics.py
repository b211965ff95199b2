"""The metrics of predicted numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from medtransfer.statistics.intervals import Bounds
from medtransfer.statistics.metrics import Outcomes, metric

TASK = "regression"
CORRELATION, LENGTH, EXPLAINED = Bounds(-1.0, 1.0), Bounds(0.0, math.inf), Bounds(-math.inf, 1.0)
IN_UNIT = {"lower_is_better": True, "bounds": LENGTH, "in_unit": True}
CELLS = 4_000_000
"""The images x resamples that are ranked together; several arrays of this size have to fit in memory."""

NO_SPREAD = 1e-5
"""A variance below this share of the mean square is that of equal numbers, rounded."""


@dataclass(frozen=True)
class Spread:
    """Variances and covariance of truth and prediction, and their mean difference, [resamples]; nan if undefined."""

    truth: np.ndarray
    predicted: np.ndarray
    shared: np.ndarray
    difference: np.ndarray


@dataclass(frozen=True)
class NumberOutcomes(Outcomes):
    """See `Outcomes`; truth, predicted and the ends of predicted intervals, low and high: float64 [images]."""

    truth: np.ndarray
    predicted: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @cached_property
    def error(self) -> np.ndarray:
        """Prediction less truth, [images]."""
        return np.asarray(self.predicted - self.truth)

    @cached_property
    def spread(self) -> Spread:
        """The moments in each resample, of numbers centred on their means so that none is lost by rounding."""
        truth, predicted = self.truth, self.predicted
        y, p = (each - each.mean() if np.ptp(each) > 0 else np.zeros(len(each)) for each in (truth, predicted))
        means = self.weights.means(np.stack([y, p, y * y, p * p, y * p], axis=1)).astype(np.float64).T
        return Spread(
            _variance(means[0], means[2]),
            _variance(means[1], means[3]),
            means[4] - means[0] * means[1],
            means[1] - means[0] + predicted.mean() - truth.mean(),
        )


def _variance(mean: np.ndarray, square: np.ndarray) -> np.ndarray:
    found = square - mean**2
    return np.asarray(np.where(found > NO_SPREAD * square, found, np.nan))


@metric("mae", "Mean absolute error", TASK, headline=True, in_summary=True, **IN_UNIT)
def mean_absolute_error(run: NumberOutcomes) -> np.ndarray:
    """Return the mean absolute error."""
    return run.weights.mean(np.abs(run.error))


@metric("rmse", "RMSE", TASK, headline=True, **IN_UNIT)
def root_mean_square_error(run: NumberOutcomes) -> np.ndarray:
    """Return the root of the mean squared error."""
    return np.asarray(np.sqrt(run.weights.mean(run.error**2)))


@metric("r2", "R²", TASK, bounds=EXPLAINED, headline=True, in_summary=True)
def explained_variance(run: NumberOutcomes) -> np.ndarray:
    """Return the coefficient of determination: 1 - squared error / that of the mean; nan if all numbers are equal."""
    return np.asarray(1 - run.weights.mean(run.error**2) / run.spread.truth)


@metric("pearson", "Pearson's r", TASK, bounds=CORRELATION)
def pearson(run: NumberOutcomes) -> np.ndarray:
    """Return Pearson's correlation; nan if all numbers or all predictions are equal."""
    return _within(run.spread.shared / np.sqrt(run.spread.truth * run.spread.predicted))


@metric("spearman", "Spearman's ρ", TASK, bounds=CORRELATION, headline=True)
def spearman(run: NumberOutcomes) -> np.ndarray:
    """Return Spearman's rank correlation, ties by their mean rank; nan if all numbers or all predictions are equal."""
    step = max(1, CELLS // len(run.truth))
    found = []
    for start in range(0, len(run.weights.counts), step):
        counts = run.weights.counts[start : start + step, run.weights.group].astype(np.float64)
        first, second = (mean_ranks(values, counts) for values in (run.truth, run.predicted))
        shared, one, other = ((counts * each).sum(axis=1) for each in (first * second, first * first, second * second))
        with np.errstate(invalid="ignore"):
            found.append(np.where(np.minimum(one, other) > 0, shared / np.sqrt(one * other), np.nan))
    return _within(np.concatenate(found))


def mean_ranks(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the mean rank of each image in each resample less that of all, [resamples, images].

    values: [images]. counts: how often each image is drawn, [resamples, images]; draws of one value are ties.
    """
    order = np.argsort(values, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(values[order])), len(values) - 1)
    reached = np.cumsum(counts[:, order], axis=1)[:, ends]
    before = np.concatenate([np.zeros((len(counts), 1)), reached[:, :-1]], axis=1)
    ranks = (before + reached - reached[:, -1:]) / 2
    place = np.empty(len(values), np.int64)
    place[order] = np.searchsorted(ends, np.arange(len(values)))
    return np.asarray(ranks[:, place])


@metric("concordance", "Lin's concordance", TASK, bounds=CORRELATION, headline=True)
def concordance(run: NumberOutcomes) -> np.ndarray:
    """Return the concordance correlation (Lin 1989): Pearson's, less what bias and a wrong scale cost.

    Predictions that are all equal have 0; it is nan if all numbers are equal.
    """
    spread = run.spread
    predicted = np.nan_to_num(spread.predicted)
    return _within(2 * spread.shared / (spread.truth + predicted + spread.difference**2))


@metric("interval_coverage", "Coverage of 95 % intervals", TASK, headline=True, ranks=False)
def interval_coverage(run: NumberOutcomes) -> np.ndarray:
    """Return the share of images whose number is in their predicted interval; see `with_intervals`."""
    inside = (run.low <= run.truth) & (run.truth <= run.high)
    return run.weights.mean(np.where(np.isfinite(run.low), inside, np.nan))


@metric("interval_width", "Width of 95 % intervals", TASK, headline=True, ranks=False, **IN_UNIT)
def interval_width(run: NumberOutcomes) -> np.ndarray:
    """Return the mean width of predicted intervals; see `with_intervals`."""
    return run.weights.mean(run.high - run.low)


def _within(correlation: np.ndarray) -> np.ndarray:
    """Keep rounding within the bounds of a correlation; nan stays."""
    return np.asarray(np.clip(correlation, -1.0, 1.0))
