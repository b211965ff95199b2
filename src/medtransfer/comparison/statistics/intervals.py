"""Confidence intervals from a bootstrap standard error, on a scale on which they may be symmetric.

Of the intervals that `benchmarks/coverage.py` measured (percentile, BCa, and this), it is the one whose coverage holds
down to fourteen groups: quantiles of Student's t make up for few groups, and the logit for values near a
bound. The bootstrap gives the standard error, times sqrt(groups / (groups - 1)), because resamples vary around the
sample and not around the truth (Hesterberg 2015, "What Teachers Should Know About the Bootstrap").
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats


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
