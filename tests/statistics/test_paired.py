"""Paired differences: t tests of their bootstrap error, and what pairing leaves out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from medtransfer.statistics.paired_tests import paired_differences


def resamples(mean: float, spread: float, seed: int) -> np.ndarray:
    """Return 999 values whose mean and standard deviation are exactly these."""
    drawn = np.random.default_rng(seed).normal(size=999)
    return mean + spread * (drawn - drawn.mean()) / drawn.std(ddof=1)


def test_p_values_and_intervals_are_those_of_students_t() -> None:
    resampled = np.stack([resamples(-0.02, 0.02, 1), resamples(-0.1, 0.04, 2)], axis=1)
    found = paired_differences(np.array([-0.02, -0.1]), resampled, 10, 9, 0.95)
    error = np.array([0.02, 0.04]) * np.sqrt(10 / 9)
    np.testing.assert_allclose(found.error, error)
    np.testing.assert_allclose(found.p, 2 * stats.t.sf([0.02, 0.1] / error, 9))
    np.testing.assert_allclose(found.low, [-0.02, -0.1] - stats.t.ppf(0.975, 9) * error)
    np.testing.assert_allclose(found.high, [-0.02, -0.1] + stats.t.ppf(0.975, 9) * error)


def test_many_resamples_of_a_mean_approach_the_paired_t_test_of_groups() -> None:
    rng = np.random.default_rng(0)
    gaps = rng.normal(0.1, 0.3, size=25)
    counts = rng.multinomial(25, np.full(25, 1 / 25), size=50000)
    found = paired_differences(gaps.mean(keepdims=True), (counts @ gaps / 25)[:, None], 25, 24, 0.95)
    assert found.p[0] == pytest.approx(stats.ttest_1samp(gaps, 0).pvalue, rel=0.04)


@pytest.mark.parametrize(("gap", "p"), [(0.0, 1.0), (-0.1, 0.0)])
def test_constant_differences_have_p_zero_or_one(gap: float, p: float) -> None:
    found = paired_differences(np.array([gap]), np.full((50, 1), gap), 10, 9, 0.95)
    assert found.p[0] == p
    assert (found.low[0], found.high[0]) == (gap, gap)


def test_resamples_in_which_a_metric_is_not_defined_are_left_out() -> None:
    whole = resamples(0.05, 0.02, 0)
    with_gaps = np.r_[whole, np.full(10, np.nan)]
    plain = paired_differences(np.array([0.05]), whole[:, None], 10, 9, 0.95)
    found = paired_differences(np.array([0.05]), with_gaps[:, None], 10, 9, 0.95)
    assert found.p[0] == pytest.approx(plain.p[0])
    assert np.isnan(paired_differences(np.array([0.05]), np.full((5, 1), np.nan), 10, 9, 0.95).p[0])


def test_one_group_has_no_p_value() -> None:
    assert np.isnan(paired_differences(np.array([0.1]), np.full((5, 1), 0.1), 1, 1, 0.95).p[0])
