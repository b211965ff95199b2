"""Confidence intervals from a bootstrap standard error, its degrees of freedom, and intervals of proportions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.stats import binomtest

LEAST = 1.5


def class_freedom(groups_of_class: np.ndarray, groups: int) -> float:
    """Give the degrees of freedom of a mean over classes, each measured on its own few groups.

    groups_of_class: in how many groups each class occurs. Satterthwaite's rule (1946) for a sum of class means of
    equal spread; never more than groups - 1.
    """
    counts = np.maximum(groups_of_class[groups_of_class > 0], LEAST).astype(np.float64)
    found = (1 / counts).sum() ** 2 / (1 / counts**2 / (counts - 1)).sum()
    return float(max(min(found, groups - 1), LEAST))


def tail_freedom(influence: np.ndarray) -> float:
    """Give the degrees of freedom of the variance of influences [groups], heavy tails counted.

    A variance estimated from values of kurtosis k varies as one of 2 n / (k - 1 + 2 / (n - 1)) degrees of freedom
    does (Cramér 1946, moments of the sample variance): few groups that do most of the harm are few to learn from.
    Where none does any, classes being told apart without an error, there are no tails to count.
    """
    number, square = len(influence), float((influence**2).mean())
    if number < 2:
        return LEAST
    if square == 0:
        return number - 1.0
    kurtosis = float((influence**4).mean()) / square**2
    return 2 * number / (kurtosis - 1 + 2 / (number - 1))


def joint_freedom(first: float, second: float, groups: int) -> float:
    """Join two reasons for having fewer degrees of freedom than groups - 1; what each takes away adds up."""
    if groups < 2:
        return LEAST
    lost = max(1 / first + 1 / second - 1 / (groups - 1), 1 / (groups - 1))
    return max(1 / lost, LEAST)


@dataclass(frozen=True)
class Bounds:
    """The least and the greatest value that a metric can have; inf where there is none."""

    low: float
    high: float


SHARE = Bounds(0.0, 1.0)


def standard_error(resampled: np.ndarray, groups: int) -> float:
    """Give the standard error that resampled values [resamples] of `groups` groups tell; undefined ones are left out.

    nan where fewer than two groups or values are there to vary.
    """
    known = resampled[np.isfinite(resampled)]
    if groups < 2 or len(known) < 2:
        return math.nan
    return float(known.std(ddof=1) * math.sqrt(groups / (groups - 1)))


def transformed_interval(
    value: float, error: float, freedom: float, confidence: float, bounds: Bounds = SHARE
) -> tuple[float, float]:
    """Give the t interval of a value with its standard error on the scale that stretches to its bounds: logit or log.

    At a bound, where resamples do not vary, the interval is that of freedom + 1 trials which all came out alike
    (Clopper and Pearson 1934): it says how little few groups can exclude. A value that cannot vary elsewhere is its own
    interval.
    """
    if not (math.isfinite(value) and math.isfinite(error)):
        return math.nan, math.nan
    if value in (bounds.low, bounds.high):
        return _at_bound(value, freedom, confidence, bounds)
    if error == 0:
        return value, value
    step = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    if math.isinf(bounds.high):
        above = value - bounds.low
        return bounds.low + above * math.exp(-step / above), bounds.low + above * math.exp(step / above)
    width = bounds.high - bounds.low
    share = (value - bounds.low) / width
    centre, reach = math.log(share / (1 - share)), step / width / (share * (1 - share))
    return tuple(bounds.low + width * float(_expit(centre + side * reach)) for side in (-1, 1))  # type: ignore[return-value]


def _at_bound(value: float, freedom: float, confidence: float, bounds: Bounds) -> tuple[float, float]:
    if math.isinf(bounds.high):
        return value, math.nan
    excluded = (1 - ((1 - confidence) / 2) ** (1 / (freedom + 1))) * (bounds.high - bounds.low)
    return (value, value + excluded) if value == bounds.low else (value - excluded, value)


def _expit(value: float) -> float:
    return 0.5 * (1 + math.tanh(value / 2))


def wilson_interval(right: int, trials: int, confidence: float) -> tuple[float, float]:
    """Give Wilson's score interval (1927) of a proportion; nan where there were no trials."""
    if trials == 0:
        return math.nan, math.nan
    found = binomtest(right, trials).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)
