"""Intervals: by hand, at the bounds, and between them whatever the numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from medtransfer.statistics.intervals import SHARE, Bounds, standard_error, transformed_interval


def test_a_logit_interval_worked_by_hand() -> None:
    # logit .8 = ln 4; its standard error is .04 / (.8 x .2) = .25; t of 10 degrees: 2.228
    low, high = transformed_interval(0.8, 0.04, 10, 0.95)
    assert low == pytest.approx(1 / (1 + math.exp(-(math.log(4) - 2.2281388519649385 * 0.25))))
    assert high == pytest.approx(1 / (1 + math.exp(-(math.log(4) + 2.2281388519649385 * 0.25))))


def test_a_log_interval_worked_by_hand() -> None:
    low, high = transformed_interval(2.0, 0.5, 1e9, 0.95, Bounds(0.0, math.inf))
    assert (low, high) == pytest.approx((2 * math.exp(-0.25 * 1.959964), 2 * math.exp(0.25 * 1.959964)), rel=1e-6)


def test_intervals_scale_with_the_bounds() -> None:
    low, high = transformed_interval(0.6, 0.1, 12, 0.9)
    found = transformed_interval(0.2, 0.2, 12, 0.9, Bounds(-1.0, 1.0))
    assert found == pytest.approx((2 * low - 1, 2 * high - 1))


@given(st.floats(0.001, 0.999), st.floats(1e-6, 0.5), st.floats(1.5, 1e4))
def test_an_interval_contains_its_value_and_respects_the_bounds(value: float, error: float, freedom: float) -> None:
    low, high = transformed_interval(value, error, freedom, 0.95)
    assert 0 <= low <= value <= high <= 1


@given(st.floats(0.01, 0.99), st.floats(0.001, 0.2))
def test_a_share_and_the_other_share_have_the_same_interval(value: float, error: float) -> None:
    low, high = transformed_interval(value, error, 20, 0.95)
    assert transformed_interval(1 - value, error, 20, 0.95) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(("value", "side"), [(1.0, 0), (0.0, 1)])
def test_at_a_bound_it_is_clopper_and_pearsons_for_as_many_trials_as_groups(value: float, side: int) -> None:
    found = transformed_interval(value, 0.0, 13, 0.95)
    exact = stats.binomtest(int(14 * value), 14).proportion_ci(0.95, method="exact")
    assert found == pytest.approx((exact.low, exact.high))
    assert found[1 - side] == value


def test_a_constant_value_is_its_own_interval() -> None:
    assert transformed_interval(0.2, 0.0, 13, 0.95) == (0.2, 0.2)


def test_without_a_value_or_an_error_there_is_no_interval() -> None:
    for value, error in ((math.nan, 0.1), (0.5, math.nan)):
        assert all(math.isnan(end) for end in transformed_interval(value, error, 5, 0.95, SHARE))


def test_the_standard_error_of_a_mean_is_the_textbooks() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=12)
    counts = rng.multinomial(12, np.full(12, 1 / 12), size=40000)
    found = standard_error(counts @ values / 12, 12)
    assert found == pytest.approx(values.std(ddof=1) / math.sqrt(12), rel=0.015)  # 40,000 resamples: .35 % each way


def test_undefined_resamples_are_left_out_and_one_group_has_no_error() -> None:
    values = np.array([np.nan, 0.1, 0.2, 0.4])
    assert standard_error(values, 10) == standard_error(values[1:], 10)
    assert math.isnan(standard_error(values, 1))
    assert math.isnan(standard_error(np.array([np.nan, 0.5]), 10))


def test_without_bounds_an_interval_is_symmetric_and_an_upper_one_is_that_of_the_mirrored_value() -> None:
    step = float(stats.t.ppf(0.975, 30)) * 0.5
    free = transformed_interval(-2.0, 0.5, 30, 0.95, Bounds(-math.inf, math.inf))
    assert free == pytest.approx((-2.0 - step, -2.0 + step))
    low, high = transformed_interval(0.8, 0.1, 30, 0.95, Bounds(-math.inf, 1.0))
    mirrored = transformed_interval(0.2, 0.1, 30, 0.95, Bounds(0.0, math.inf))
    assert (1 - high, 1 - low) == pytest.approx(mirrored)
    assert transformed_interval(1.0, 0.0, 30, 0.95, Bounds(-math.inf, 1.0))[1] == 1.0
