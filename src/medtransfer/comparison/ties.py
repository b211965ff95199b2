"""Which variants are tied with the best: paired differences, tested and corrected for their number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from medtransfer.comparison.bootstrap import percentile_interval


@dataclass(frozen=True)
class Difference:
    """How far a variant is from the best: the difference, its interval, and the corrected p value."""

    value: float
    low: float
    high: float
    p: float
    tied: bool


def differences_to_best(
    values: dict[str, float], resampled: dict[str, np.ndarray], best: str, confidence: float
) -> dict[str, Difference]:
    """Test every variant against `best` on the same resamples.

    The two-sided p value is that of the difference over its bootstrap standard error (normal), multiplied
    by Holm's step-down rule (Holm 1979). Tied: not below 1 - confidence. The best is tied with itself, with
    p = 1. It was chosen by the same data, which makes differences to it look a little larger than they are.
    """
    others = [name for name in values if name != best]
    gaps = {name: resampled[name] - resampled[best] for name in others}
    raw = [_p_value(values[name] - values[best], gaps[name]) for name in others]
    corrected = holm(np.array(raw))
    found = {best: Difference(0.0, 0.0, 0.0, 1.0, True)}
    for name, p in zip(others, corrected, strict=True):
        low, high = percentile_interval(gaps[name], confidence)
        found[name] = Difference(values[name] - values[best], low, high, float(p), bool(p >= 1 - confidence))
    return found


def holm(p_values: np.ndarray) -> np.ndarray:
    """Correct p values by Holm's step-down rule: the k-th smallest of m times m - k + 1, never decreasing."""
    count = len(p_values)
    order = np.argsort(p_values)
    stepped = np.maximum.accumulate(p_values[order] * (count - np.arange(count)))
    corrected = np.empty(count)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def _p_value(difference: float, resampled: np.ndarray) -> float:
    error = float(np.nanstd(resampled, ddof=1))
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    return float(2 * norm.sf(abs(difference) / error))
