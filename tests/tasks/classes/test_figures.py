"""Points of ROC curves: few of them, from corner to corner, with the area of all of them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import auc, roc_auc_score

from medtransfer.tasks.classes.figures import MOST_POINTS, macro_curves, roc_points

GRID = np.linspace(0, 1, MOST_POINTS)


def test_a_curve_worked_by_hand() -> None:
    truth, scores = np.array([True, False, True, False]), np.array([0.9, 0.8, 0.7, 0.1])
    false_rate, true_rate = roc_points(truth, scores)
    assert false_rate.tolist() == [0.0, 0.0, 0.5, 0.5, 1.0]
    assert true_rate.tolist() == [0.0, 0.5, 0.5, 1.0, 1.0]


@pytest.mark.parametrize("count", [30, 5000])
def test_a_thinned_curve_keeps_its_corners_and_its_area(count: int) -> None:
    rng = np.random.default_rng(count)
    truth = rng.random(count) < 0.4
    scores = rng.normal(size=count) + truth
    points = roc_points(truth, scores)
    assert len(points[0]) <= MOST_POINTS
    for rates in points:
        assert (rates[0], rates[-1]) == (0.0, 1.0)
        assert (np.diff(rates) >= 0).all()
    assert auc(*points) == pytest.approx(roc_auc_score(truth, scores), abs=0.006)


@pytest.mark.parametrize("classes", [2, 4])
def test_the_mean_curve_has_the_mean_area(classes: int) -> None:
    rng = np.random.default_rng(classes)
    labels = rng.integers(0, classes, 3000)
    scores = np.eye(classes)[labels] + rng.normal(size=(3000, classes))
    scores = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    expected = roc_auc_score(labels, scores[:, 1] if classes == 2 else scores, multi_class="ovr", average="macro")
    roc, _ = macro_curves(labels, scores)
    assert roc.shape == GRID.shape
    assert auc(GRID, roc) == pytest.approx(expected, abs=0.006)


def test_a_class_without_labels_is_left_out_of_the_mean() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    scores = rng.dirichlet(np.ones(3), 200)
    alone = [roc_auc_score(labels == number, scores[:, number]) for number in (0, 1)]
    assert auc(GRID, macro_curves(labels, scores)[0]) == pytest.approx(np.mean(alone), abs=0.01)


@pytest.mark.parametrize("ties", [False, True])
def test_precision_is_that_of_the_highest_threshold_that_reaches_the_recall(ties: bool) -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(80) < 0.3
    scores = np.round(rng.random(80), 1 if ties else 9) + 0.2 * truth
    _, precision = macro_curves(truth.astype(int), np.stack([1 - scores, scores], axis=1))
    for recall, found in zip(GRID, precision, strict=True):
        reaching = [level for level in scores if (scores[truth] >= level).mean() >= recall - 1e-12 and any(truth)]
        chosen = max(level for level in reaching if (scores[truth] >= level).any())
        assert found == pytest.approx(truth[scores >= chosen].mean())
