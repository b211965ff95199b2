"""Intervals of proportions against statsmodels."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from medtransfer.statistics.intervals import wilson_interval


@given(st.integers(1, 5000), st.floats(0, 1), st.sampled_from([0.9, 0.95, 0.99]))
def test_wilsons_interval_is_that_of_statsmodels(trials: int, share: float, confidence: float) -> None:
    right = round(share * trials)
    expected = proportion_confint(right, trials, 1 - confidence, method="wilson")
    assert wilson_interval(right, trials, confidence) == pytest.approx(expected, abs=1e-9)


def test_no_trials_have_no_interval() -> None:
    assert all(math.isnan(end) for end in wilson_interval(0, 0, 0.95))
