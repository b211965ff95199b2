"""Thresholds, each the best that a search over all of them finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtransfer.statistics.thresholds import SENSITIVITY, half, sensitive, youden


def rates(truth: np.ndarray, scores: np.ndarray, threshold: float) -> tuple[float, float]:
    called = scores >= threshold
    return (called & truth).sum() / truth.sum(), (~called & ~truth).sum() / (~truth).sum()


@given(st.integers(0, 2**20), st.integers(2, 40))
def test_rules_find_the_best_threshold(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.permutation(count) < rng.integers(1, count)
    scores = (np.round(rng.random(count), 1) + 0.2 * truth).astype(np.float32)
    sums = [sum(rates(truth, scores, threshold)) for threshold in scores]
    assert sum(rates(truth, scores, youden(truth, scores))) == pytest.approx(max(sums))
    enough = [threshold for threshold in scores if rates(truth, scores, threshold)[0] >= SENSITIVITY]
    assert sensitive(truth, scores) == max(enough)
    assert half(truth, scores) == 0.5
