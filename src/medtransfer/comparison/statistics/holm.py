"""The correction of p values for their number."""

from __future__ import annotations

import numpy as np


def holm(p_values: np.ndarray) -> np.ndarray:
    """Correct p values by Holm's step-down rule (1979): the k-th smallest of m times m - k + 1, never decreasing.

    Undefined ones (nan) stay so and do not count.
    """
    corrected = np.full(len(p_values), np.nan)
    known = np.flatnonzero(np.isfinite(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected
