"""Average ranks: Friedman's and Nemenyi's tests against their literature and against analysis of variance of ranks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from medtransfer.statistics.ranks import average_ranks

DEMSAR = {2: 1.960, 3: 2.343, 4: 2.569, 5: 2.728, 6: 2.850, 7: 2.949, 8: 3.031, 9: 3.102, 10: 3.164}
"""Critical values of Nemenyi's test at .05, as Demšar (2006, table 5) prints them."""


@pytest.mark.parametrize(("variants", "critical"), DEMSAR.items())
def test_critical_differences_are_those_of_the_literature(variants: int, critical: float) -> None:
    values = np.random.default_rng(0).random((14, variants))
    expected = critical * np.sqrt(variants * (variants + 1) / (6 * 14))
    if variants > 2:
        assert average_ranks(values, 0.95).critical_difference == pytest.approx(expected, rel=5e-4)


def test_the_f_test_is_the_analysis_of_variance_of_the_ranks() -> None:
    values = np.random.default_rng(1).random((8, 4)) + np.array([0.5, 0.2, 0.1, 0.0])
    found = average_ranks(values, 0.95)
    ranks = stats.rankdata(-values, axis=1)
    table = pd.DataFrame(ranks).stack().rename("rank").rename_axis(["set", "variant"]).reset_index()
    expected = anova_lm(ols("rank ~ C(variant) + C(set)", data=table).fit()).loc["C(variant)", "PR(>F)"]
    assert found.p == pytest.approx(expected, abs=1e-9)
    np.testing.assert_allclose(found.average, ranks.mean(axis=0))


def test_the_greatest_value_is_first_and_ties_share_their_ranks() -> None:
    values = np.array([[0.9, 0.5, 0.5], [0.8, 0.7, 0.6], [0.9, 0.1, 0.2]])
    np.testing.assert_allclose(average_ranks(values, 0.95).average, [1, (2.5 + 2 + 3) / 3, (2.5 + 3 + 2) / 3])


def test_cliques_are_the_longest_ranges_within_the_critical_difference() -> None:
    orders = np.tile(np.array([5.0, 4.0, 3.0, 2.0, 1.0]), (60, 1))  # always the same order: ranks 1 to 5
    found = average_ranks(orders, 0.95)
    assert found.critical_difference == pytest.approx(0.7875, abs=1e-3)
    assert found.cliques == []
    few = average_ranks(orders[:12], 0.95)
    assert few.critical_difference == pytest.approx(1.761, abs=1e-3)
    assert few.cliques == [[0, 1], [1, 2], [2, 3], [3, 4]]


def test_equal_variants_have_p_one_and_a_perfect_order_has_p_zero() -> None:
    assert average_ranks(np.full((6, 3), 0.5), 0.95).p == 1.0
    assert average_ranks(np.tile([3.0, 2.0, 1.0], (6, 1)), 0.95).p == 0.0
