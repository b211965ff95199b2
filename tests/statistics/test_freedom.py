"""Degrees of freedom: Satterthwaite's rule by hand, and how much an estimated variance really varies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from medtransfer.statistics.intervals import (
    LEAST,
    class_freedom,
    jackknife,
    jackknifed,
    joint_freedom,
    tail_freedom,
)


def test_satterthwaites_rule_for_two_classes_worked_by_hand() -> None:
    # (1/5 + 1/10)^2 / (1/25/4 + 1/100/9) = .09 / .01111...
    assert class_freedom(np.array([5, 10]), 15) == pytest.approx(8.1)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any), st.integers(2, 60))
def test_freedom_is_at_most_groups_minus_one(groups_of_class: list[int], groups: int) -> None:
    found = class_freedom(np.array(groups_of_class), groups)
    assert min(LEAST, groups - 1) <= found <= max(groups - 1, LEAST)


def test_equal_classes_have_the_freedom_of_all_their_groups() -> None:
    assert class_freedom(np.array([20, 20]), 100) == pytest.approx(38)
    assert class_freedom(np.array([20, 20, 0]), 100) == pytest.approx(38)


@pytest.mark.parametrize("degrees", [3, 30])
def test_tails_are_those_of_the_variance_of_a_variance(degrees: int) -> None:
    rng = np.random.default_rng(degrees)
    chi = rng.chisquare(degrees, size=(400, 2000)) - degrees  # its kurtosis is 3 + 12 / degrees
    variances = chi.var(axis=1, ddof=1)
    really = 2 * variances.mean() ** 2 / variances.var(ddof=1)
    found = np.median([tail_freedom(values) for values in chi])
    assert found == pytest.approx(really, rel=0.25)


def test_a_single_influential_group_leaves_hardly_any_freedom() -> None:
    assert tail_freedom(np.r_[1.0, np.zeros(49)]) == pytest.approx(2, abs=0.1)
    assert tail_freedom(np.zeros(9)) == 8
    assert tail_freedom(np.ones(1)) == LEAST


def test_two_reductions_of_freedom_add_up() -> None:
    assert joint_freedom(20.0, 30.0, 61) == pytest.approx(1 / (1 / 20 + 1 / 30 - 1 / 60))
    assert joint_freedom(60.0, 25.0, 61) == pytest.approx(25)
    assert joint_freedom(60.0, 500.0, 61) == pytest.approx(60)
    assert joint_freedom(LEAST, 2.0, 1) == LEAST


def test_the_jackknifed_error_of_a_share_is_cr3_worked_by_hand() -> None:
    # 8 of 12 images right, in groups of 1, 3 and 8
    right, size = np.array([1.0, 1.0, 6.0]), np.array([1.0, 3.0, 8.0])
    without = np.array([7 / 11, 7 / 9, 2 / 4])
    np.testing.assert_allclose((right.sum() - right) / (size.sum() - size), without)
    error, freedom = jackknifed(jackknife(8 / 12, without), 2.0)
    assert error == pytest.approx(np.sqrt(2 / 3 * ((8 / 12 - without) ** 2).sum()))
    assert LEAST <= freedom <= 2


@pytest.mark.parametrize("variance", [0.2, 5.0])
def test_groups_that_are_alike_have_nearly_the_error_and_freedom_of_a_mean(variance: float) -> None:
    values = np.random.default_rng(0).normal(scale=variance, size=400)
    without = (values.sum() - values) / 399
    error, freedom = jackknifed(jackknife(values.mean(), without), 399.0)
    assert error == pytest.approx(values.std(ddof=1) / 20)
    assert 300 < freedom <= 399


def test_intervals_of_groups_of_several_sizes_hold_the_truth() -> None:
    rng = np.random.default_rng(3)
    held, plain = 0, 0
    for _ in range(1000):
        size = np.maximum(np.rint(3 * np.exp(rng.normal(size=40))), 1)
        totals = size * rng.normal(size=40)
        value, without = totals.sum() / size.sum(), (totals.sum() - totals) / (size.sum() - size)
        error, freedom = jackknifed(jackknife(value, without), 39.0)
        held += abs(value) < stats.t.ppf(0.975, freedom) * error
        residuals = (totals - value * size) / size.sum()
        plain += abs(value) < stats.t.ppf(0.975, 39) * np.sqrt((residuals**2).sum() * 40 / 39)
    assert 930 <= held <= 970
    assert plain < 930
