"""Degrees of freedom: Satterthwaite's rule by hand, and how much an estimated variance really varies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtransfer.statistics.intervals import LEAST, class_freedom, joint_freedom, tail_freedom


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
