"""Which variants are tied with the best: paired differences, tested and corrected for their number."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import norm

from medtransfer.comparison.bootstrap import percentile_interval
from medtransfer.comparison.results import PAIRS, frame
from medtransfer.comparison.scores import HEADLINE, Scores


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


def all_pairs(scores: dict[str, Scores], confidence: float) -> pd.DataFrame:
    """Test every pair of variants by every metric; see `Comparison.pairs`."""
    rows = []
    for metric in HEADLINE:
        found = [_pair(metric, a, b, scores, confidence) for a, b in combinations(scores, 2)]
        corrected = holm(np.array([row["p"] for row in found]))
        for row, p in zip(found, corrected, strict=True):
            rows.append(row | {"p_corrected": float(p), "different": bool(p < 1 - confidence)})
    return frame(PAIRS, rows)


def _pair(metric: str, a: str, b: str, scores: dict[str, Scores], confidence: float) -> dict[str, object]:
    difference = scores[a].value[metric] - scores[b].value[metric]
    resampled = scores[a].resampled[metric] - scores[b].resampled[metric]
    low, high = percentile_interval(resampled, confidence)
    row = {"metric": metric, "a": a, "b": b, "difference": difference, "se": float(np.nanstd(resampled, ddof=1))}
    return row | {"low": low, "high": high, "p": _p_value(difference, resampled)}


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
