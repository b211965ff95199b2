"""Limits of agreement by their definition, on samples and resamples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from medtransfer.statistics.resampling import draw, the_sample
from medtransfer.tasks.numbers.agreement import Limits, limits_of_agreement


def by_hand(differences: np.ndarray) -> list[float]:
    reach = stats.norm.ppf(0.975) * differences.std(ddof=1)
    return [differences.mean() - reach, differences.mean(), differences.mean() + reach]


def test_limits_are_bias_and_1_96_standard_deviations() -> None:
    rng = np.random.default_rng(0)
    differences, groups = rng.normal(3, 2, 50), np.arange(50) // 2
    assert limits_of_agreement(differences, the_sample(groups))[0] == pytest.approx(by_hand(differences), abs=1e-9)
    weights = draw(groups, 5, rng)
    for found, counts in zip(limits_of_agreement(differences, weights), weights.counts, strict=True):
        assert found == pytest.approx(by_hand(np.repeat(differences, counts[groups].astype(int))), rel=1e-4)


def test_equal_differences_have_equal_limits() -> None:
    truth = np.arange(5.0)
    assert Limits.of(truth, truth + 2).values == (2.0, 2.0, 2.0)
