"""DeLong's test against its definition, written out over all pairs of images."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from medtransfer.statistics.areas import auc_influence
from medtransfer.statistics.paired_tests import delong_test


def by_definition(truth: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Return the difference of two areas and its p value, by the formulas of the paper, pair by pair."""
    areas, of_positives, of_negatives = [], [], []
    for scores in (first, second):
        positives, negatives = scores[truth], scores[~truth]
        wins = (positives[:, None] > negatives) + (positives[:, None] == negatives) / 2
        areas.append(wins.mean())
        of_positives.append(wins.mean(axis=1))
        of_negatives.append(wins.mean(axis=0))
    covariance = np.cov(of_positives) / len(of_positives[0]) + np.cov(of_negatives) / len(of_negatives[0])
    contrast = np.array([1, -1])
    error = math.sqrt(max(contrast @ covariance @ contrast, 0))
    difference = areas[0] - areas[1]
    if error < 1e-9:
        return difference, float(abs(difference) < 1e-9)
    return difference, float(2 * norm.sf(abs(difference) / error))


def two_columns(scores: np.ndarray) -> np.ndarray:
    return np.stack([1 - scores, scores], axis=1)


@settings(max_examples=40)
@given(st.integers(0, 2**20), st.integers(4, 60), st.booleans())
def test_two_classes_of_single_images_are_delongs_test(seed: int, count: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.permutation(count) < rng.integers(2, count - 1)
    first, second = rng.random(count) + 0.3 * truth, rng.random(count)
    if ties:
        first, second = np.round(first, 1), np.round(second, 1)
    difference, p = by_definition(truth, first, second)
    groups = np.arange(count)
    influences = [auc_influence(truth.astype(int), two_columns(scores), groups) for scores in (first, second)]
    assert difference == pytest.approx(roc_auc_score(truth, first) - roc_auc_score(truth, second), abs=1e-12)
    assert delong_test(difference, influences[0] - influences[1]) == pytest.approx(p, abs=1e-9)


def test_the_macro_area_of_many_classes_varies_as_its_influence_says() -> None:
    rng = np.random.default_rng(0)

    def sample() -> tuple[float, float]:
        labels = rng.integers(0, 3, 150)
        scores = rng.normal(size=(150, 3)) + 1.2 * np.eye(3)[labels]
        area = np.mean([roc_auc_score(labels == number, scores[:, number]) for number in range(3)])
        return float(area), float((auc_influence(labels, scores, np.arange(150)) ** 2).sum())

    areas, variances = np.array([sample() for _ in range(800)]).T
    assert variances.mean() == pytest.approx(areas.var(ddof=1), rel=0.12)  # 800 samples: 5 % each way


def test_images_of_a_group_add_up() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 40), two_columns(rng.random(40))
    single = auc_influence(labels, scores, np.arange(40))
    groups = np.arange(40) // 4
    np.testing.assert_allclose(auc_influence(labels, scores, groups), single.reshape(10, 4).sum(axis=1))
    assert single.sum() == pytest.approx(0, abs=1e-12)


def test_equal_scores_do_not_differ_and_no_variance_is_certain() -> None:
    assert delong_test(0.0, np.zeros(5)) == 1.0
    assert delong_test(0.1, np.zeros(5)) == 0.0
    assert auc_influence(np.zeros(3, int), np.full((3, 2), 0.5), np.arange(3)).tolist() == [0, 0, 0]
