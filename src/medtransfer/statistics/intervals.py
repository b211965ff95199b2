"""Confidence intervals from a bootstrap standard error, its degrees of freedom, and intervals of proportions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

LEAST = 1.5


def class_freedom(groups_of_class: np.ndarray, groups: int) -> float:
    """Return the degrees of freedom of a mean over classes, each measured on its own few groups.

    groups_of_class: the number of groups in which each class occurs. This is Satterthwaite's rule (1946) for a sum of
    class means of equal spread, and at most groups - 1.
    """
    counts = np.maximum(groups_of_class[groups_of_class > 0], LEAST).astype(np.float64)
    found = (1 / counts).sum() ** 2 / (1 / counts**2 / (counts - 1)).sum()
    return float(max(min(found, groups - 1), LEAST))


def tail_freedom(influence: np.ndarray) -> float:
    """Return the degrees of freedom of the variance of influences [groups], which heavy tails reduce.

    The tails are those of the values and of the sizes of groups, as influence grows with size. The variance of n values
    with kurtosis k has 2 n / (k - 1 + 2 / (n - 1)) degrees of freedom (Cramér 1946, moments of the sample variance).
    If all influences are 0, because the classes are separated perfectly, it has n - 1.
    """
    number, square = len(influence), float((influence**2).mean())
    if number < 2:
        return LEAST
    if square == 0:
        return number - 1.0
    kurtosis = float((influence**4).mean()) / square**2
    return 2 * number / (kurtosis - 1 + 2 / (number - 1))


def joint_freedom(first: float, second: float, groups: int) -> float:
    """Combine two reductions of the degrees of freedom below groups - 1, by adding them up."""
    if groups < 2:
        return LEAST
    lost = max(1 / first + 1 / second - 1 / (groups - 1), 1 / (groups - 1))
    return max(1 / lost, LEAST)


def jackknife(value: np.ndarray | float, without: np.ndarray) -> np.ndarray:
    """Return the influence of each group on a value, scaled so that their sum of squares is its variance.

    value: [...]. without: [groups, ...], the value without each group. This variance is CR3 of the cluster-robust
    literature (MacKinnon, Nielsen and Webb 2023, "Fast and reliable jackknife and bootstrap methods for cluster-robust
    inference"): unlike that of the bootstrap, it is not too small if few groups have most of the images.
    """
    groups = len(without)
    return (value - without) * math.sqrt((groups - 1) / groups)


def jackknifed(influence: np.ndarray, freedom: float) -> tuple[float, float]:
    """Return the standard error of a value and its degrees of freedom from the influences of groups [groups].

    freedom: that of groups that are alike, which those of the tails replace if they are fewer.
    """
    return math.sqrt(float((influence**2).sum())), max(min(freedom, tail_freedom(influence)), LEAST)


@dataclass(frozen=True)
class Bounds:
    """The least and the greatest possible value of a metric; inf if it has none."""

    low: float
    high: float


SHARE = Bounds(0.0, 1.0)


def standard_error(resampled: np.ndarray, groups: int) -> float:
    """Return the standard error of a value from its resamples, drawn from `groups` groups; nan values are left out.

    It is nan with fewer than two groups or defined values.
    """
    known = resampled[np.isfinite(resampled)]
    if groups < 2 or len(known) < 2:
        return math.nan
    return float(known.std(ddof=1) * math.sqrt(groups / (groups - 1)))


def transformed_interval(
    value: float, error: float, freedom: float, confidence: float, bounds: Bounds = SHARE
) -> tuple[float, float]:
    """Return the t interval of a value on the scale that maps its bounds to infinity: logit, or log with one bound.

    Without bounds, it is that of the value itself.

    At a bound, where resamples do not vary, the interval is that of freedom + 1 trials with equal outcomes (Clopper and
    Pearson 1934). Elsewhere, a value with a standard error of 0 is its own interval.
    """
    from scipy.special import stdtrit  # the quantiles of scipy.stats.t, which takes half a second to import

    if not (math.isfinite(value) and math.isfinite(error)):
        return math.nan, math.nan
    if math.isinf(bounds.low) and not math.isinf(bounds.high):
        low, high = transformed_interval(-value, error, freedom, confidence, Bounds(-bounds.high, math.inf))
        return -high, -low
    if value in (bounds.low, bounds.high):
        return _at_bound(value, freedom, confidence, bounds)
    step = float(stdtrit(freedom, (1 + confidence) / 2)) * error
    if error == 0 or math.isinf(bounds.low):
        return value - step, value + step
    if math.isinf(bounds.high):
        above = value - bounds.low
        return bounds.low + above * math.exp(-step / above), bounds.low + above * math.exp(step / above)
    width = bounds.high - bounds.low
    share = (value - bounds.low) / width
    centre, reach = math.log(share / (1 - share)), step / width / (share * (1 - share))
    low, high = (0.5 * (1 + math.tanh((centre + side * reach) / 2)) for side in (-1, 1))
    return bounds.low + width * low, bounds.low + width * high


def _at_bound(value: float, freedom: float, confidence: float, bounds: Bounds) -> tuple[float, float]:
    if math.isinf(bounds.high):
        return value, math.nan
    excluded = (1 - ((1 - confidence) / 2) ** (1 / (freedom + 1))) * (bounds.high - bounds.low)
    return (value, value + excluded) if value == bounds.low else (value - excluded, value)


def difference_interval(first: tuple[float, float, float], second: tuple[float, float, float]) -> tuple[float, float]:
    """Return the interval of the difference between two independent values, each given with its own interval.

    The distances of both values from the ends of their intervals are squared and added (Newcombe 1998 for proportions;
    Zou and Donner 2008, MOVER), so that it is as skew as they are, and holds at their bounds.
    """
    (value, low, high), (other, other_low, other_high) = first, second
    return (
        value - other - math.hypot(value - low, other_high - other),
        value - other + math.hypot(high - value, other - other_low),
    )


def wilson_interval(right: int, trials: int, confidence: float) -> tuple[float, float]:
    """Return Wilson's score interval (1927) of a proportion; nan without trials."""
    from scipy.stats import binomtest

    if trials == 0:
        return math.nan, math.nan
    found = binomtest(right, trials).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)
