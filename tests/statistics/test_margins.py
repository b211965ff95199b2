"""Non-inferiority against scipy's t test and statsmodels' equivalence, its errors in simulated studies, and power."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from medtransfer.statistics.margins import detectable_difference, not_inferior_p, not_inferior_to_any_p
from medtransfer.statistics.paired_tests import holm

GROUPS = 60


def test_non_inferiority_is_a_one_sided_t_test_against_the_margin() -> None:
    differences = np.random.default_rng(0).normal(0.1, 1, GROUPS)
    error = differences.std(ddof=1) / np.sqrt(GROUPS)
    found = not_inferior_p(differences.mean()[None], error[None], GROUPS - 1, 0.2)
    assert found[0] == pytest.approx(stats.ttest_1samp(differences, -0.2, alternative="greater").pvalue)


def test_without_any_spread_there_is_no_doubt() -> None:
    assert not_inferior_p(np.array([0.0, -0.3, np.nan]), np.array([0.0, 0.0, np.nan]), 9, 0.02)[:2].tolist() == [0, 1]


def test_a_variant_has_to_be_compared_with_every_other() -> None:
    p = np.array([[0.9, 0.01, 0.2], [0.03, 0.9, 0.02], [0.001, np.nan, 0.0]])
    assert not_inferior_to_any_p(p).tolist()[:2] == [0.2, 0.03]
    assert np.isnan(not_inferior_to_any_p(p)[2])


def test_the_detectable_difference_has_the_power_that_statsmodels_computes() -> None:
    found = float(detectable_difference(np.array(1 / np.sqrt(GROUPS)), GROUPS - 1, 0.05))
    assert TTestPower().power(found, GROUPS, 0.05) == pytest.approx(0.8, abs=0.005)


def test_non_inferiority_is_wrongly_claimed_in_at_most_5_percent_of_studies() -> None:
    """One variant is the best, four others are worse by exactly the margin; any claim of these four is wrong."""
    rng, studies, margin = np.random.default_rng(1), 3000, 0.3
    values = rng.normal(size=(studies, 5, GROUPS)) - margin * (np.arange(5) > 0)[:, None]
    gains = values[:, :, None] - values[:, None]
    mean, error = gains.mean(axis=-1), gains.std(axis=-1, ddof=1) / np.sqrt(GROUPS)
    p = not_inferior_p(mean, error, GROUPS - 1, margin)
    wrong = [(holm(not_inferior_to_any_p(of_study))[1:] < 0.05).any() for of_study in p]
    assert 0.005 < np.mean(wrong) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)
