"""Measures of maps, compared with values computed by hand and by SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from medtransfer.deployment.explain.pointing import (
    DIFFERENCE,
    Evidence,
    energy_inside,
    pointing_hits,
    rank_correlations,
)
from medtransfer.statistics.resampling import draw, the_sample

MAPS = np.array([[[0, 1], [2, 5]], [[4, 4], [0, 0]], [[0, 0], [0, 0]], [[3, 3], [3, 3]]], np.float32)
MASKS = np.array([[[0, 0], [0, 1]], [[1, 0], [1, 0]], [[1, 1], [1, 1]], [[1, 0], [0, 0]]], bool)


def test_a_hit_is_the_share_of_maxima_inside_the_mask() -> None:
    assert pointing_hits(MAPS, MASKS).tolist() == [1.0, 0.5, 0.0, 0.25]


def test_energy_is_the_share_of_the_sum() -> None:
    assert energy_inside(MAPS, MASKS).tolist() == [0.625, 0.5, 0.0, 0.25]


def test_likeness_is_spearmans_correlation() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.integers(0, 5, (4, 6, 6)).astype(float), rng.normal(size=(4, 6, 6))
    expected = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first, second, strict=True)]
    assert rank_correlations(first, second) == pytest.approx(expected)
    assert rank_correlations(first, first) == pytest.approx(1.0)
    assert np.isnan(rank_correlations(np.zeros((1, 3, 3)), rng.normal(size=(1, 3, 3)))).all()


def evidence(groups: np.ndarray) -> Evidence:
    return Evidence(the_sample(groups), draw(groups, 2000, np.random.default_rng(0)), 0.95)


def test_intervals_are_over_groups_not_images() -> None:
    values = np.repeat(np.arange(20) % 2, 10).astype(float)
    alone = evidence(np.arange(200)).mean(values)
    grouped = evidence(np.repeat(np.arange(20), 10)).mean(values)
    assert alone["value"] == grouped["value"] == 0.5
    assert alone["low"] is not None
    assert grouped["low"] is not None
    assert 0.5 - grouped["low"] > 2 * (0.5 - alone["low"])


def test_undefined_values_are_ignored_and_an_undefined_mean_is_none() -> None:
    some = evidence(np.arange(4)).mean(np.array([0.5, np.nan, 0.7, 0.3]), DIFFERENCE)
    assert some["value"] == pytest.approx(0.5)
    assert evidence(np.arange(2)).mean(np.full(2, np.nan)) == {"value": None, "low": None, "high": None}
