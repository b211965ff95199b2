"""Holm's rule by hand, by its definition, and as statsmodels has it."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from medtransfer.statistics.paired_tests import holm


def test_an_example_worked_by_hand() -> None:
    # sorted: .005 x 4, .01 x 3, .03 x 2, .04 x 1; the last may not fall below the one before it
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_it_is_bonferronis_rule_closed_over_every_set_of_hypotheses(p_values: list[float]) -> None:
    numbers = range(len(p_values))
    sets = [chosen for size in range(1, len(p_values) + 1) for chosen in combinations(numbers, size)]
    bonferroni = {chosen: min(1.0, len(chosen) * min(p_values[number] for number in chosen)) for chosen in sets}
    expected = [max(bonferroni[chosen] for chosen in sets if number in chosen) for number in numbers]
    np.testing.assert_allclose(holm(np.array(p_values)), expected)


@settings(max_examples=8)  # statsmodels takes .1 s for each
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_statsmodels_agrees(p_values: list[float]) -> None:
    np.testing.assert_allclose(holm(np.array(p_values)), multipletests(p_values, method="holm")[1], atol=1e-12)


def test_undefined_p_values_are_not_counted() -> None:
    np.testing.assert_array_equal(holm(np.array([np.nan, 0.02, 0.04])), [np.nan, 0.04, 0.04])
    assert holm(np.array([])).shape == (0,)
