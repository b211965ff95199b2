"""Intervals of plain proportions: trials that each stand for themselves."""

from __future__ import annotations

import math

from scipy.stats import binomtest


def wilson_interval(right: int, trials: int, confidence: float) -> tuple[float, float]:
    """Give Wilson's score interval (1927) of a proportion; nan where there were no trials."""
    if trials == 0:
        return math.nan, math.nan
    found = binomtest(right, trials).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)
