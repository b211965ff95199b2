"""Differences between variants on the same test images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

ROUNDING = 1e-12
"""What is left of the spread of equal numbers."""


@dataclass(frozen=True)
class Differences:
    """Differences with their standard error, interval and two-sided p value, each an array of one shape."""

    value: np.ndarray
    error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray


def paired_differences(
    value: np.ndarray, resampled: np.ndarray, groups: int, freedom: float, confidence: float
) -> Differences:
    """Test differences that were computed in every resample.

    value: [differences]. resampled: [resamples, differences]. The p value is that of Student's t of `freedom` degrees,
    the difference over its bootstrap standard error; the interval is the one that goes with it. A difference that
    never varies is certain (p = 0), unless it is none (p = 1). Resamples in which a value is not defined are
    left out.
    """
    known = np.isfinite(resampled)
    count = known.sum(axis=0)
    mean = np.where(known, resampled, 0).sum(axis=0) / np.maximum(count, 1)
    square = np.where(known, (resampled - mean) ** 2, 0).sum(axis=0) / np.maximum(count - 1, 1)
    error = np.sqrt(square * groups / max(groups - 1, 1))
    error = np.where(error < ROUNDING, 0.0, error)
    error = np.where((count > 1) & (groups > 1), error, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * stats.t.sf(np.abs(value) / error, freedom)
    p = np.where(error == 0, np.where(value == 0, 1.0, 0.0), p)
    reach = stats.t.ppf((1 + confidence) / 2, freedom) * error
    return Differences(value, error, value - reach, value + reach, p)
