"""Thresholds between grades, fitted on validation images, against all choices and scikit-learn's kappa."""

from __future__ import annotations

from itertools import combinations_with_replacement, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from torch import nn

from medtransfer.models.network import Network, Normalise
from medtransfer.study import Loss
from medtransfer.tasks import TASKS
from medtransfer.tasks.classes.grade_thresholds import GradeThresholds, fit_thresholds
from medtransfer.training.losses import GRADE_LOSSES, ClassLoss

TASK, SQUARED = TASKS["ordinal"], Loss(kind="squared_error")


def graded(means: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    return (means[:, None] > thresholds).sum(axis=1)


def kappa(labels: np.ndarray, predicted: np.ndarray, grades: int) -> float:
    if len({*labels, *predicted}) < 2:
        return 0.0
    return float(cohen_kappa_score(labels, predicted, labels=range(grades), weights="quadratic"))


def rows(seed: int, images: int, grades: int, shrunk: float) -> tuple[np.ndarray, np.ndarray]:
    """Return labels, and means that a regression has shrunk towards the middle."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, grades, images)
    middle = (grades - 1) / 2
    means = middle + shrunk * (labels - middle) + rng.normal(0, 0.2, images)
    return np.clip(means, 0, grades - 1).round(2), labels


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(2, 5), st.floats(0.1, 1))
def test_thresholds_ascend_and_no_single_move_would_be_better(
    seed: int, images: int, grades: int, shrunk: float
) -> None:
    means, labels = rows(seed, images, grades, shrunk)
    found = fit_thresholds(means, labels, grades)
    assert all(first < second for first, second in pairwise([0, *found, grades - 1]))
    best = kappa(labels, graded(means, found), grades)
    assert best >= kappa(labels, graded(means, np.arange(grades - 1) + 0.5), grades) - 1e-9
    values = np.unique(means)
    for step in range(grades - 1):
        for place in (values[1:] + values[:-1]) / 2:
            moved = found.copy()
            moved[step] = place
            if (np.diff(moved) >= 2e-3).all():
                assert kappa(labels, graded(means, moved), grades) <= best + 1e-9


def test_of_few_images_they_are_the_best_of_all_choices() -> None:
    for seed in range(20):
        means, labels = rows(seed, 12, 3, 0.4)
        values = np.unique(means)
        choices = combinations_with_replacement((values[1:] + values[:-1]) / 2, 2)
        best = max(kappa(labels, graded(means, np.array(choice)), 3) for choice in choices)
        assert kappa(labels, graded(means, fit_thresholds(means, labels, 3)), 3) == pytest.approx(best, abs=0.02)


def test_thresholds_that_are_right_or_of_images_that_are_alike_stay() -> None:
    np.testing.assert_array_equal(fit_thresholds(np.arange(4.0), np.arange(4), 4), [0.5, 1.5, 2.5])
    np.testing.assert_array_equal(fit_thresholds(np.full(6, 1.2), np.arange(6) % 3, 3), [0.5, 1.5])


def test_the_layer_changes_nothing_until_it_is_fitted_and_then_grades_between_the_thresholds() -> None:
    torch.manual_seed(0)
    logits = torch.randn(200, 4) * 2
    layer = GradeThresholds(4)
    before = TASK.probabilities(logits, SQUARED)
    torch.testing.assert_close(TASK.probabilities(layer(logits), SQUARED), before, atol=1e-5, rtol=0)
    layer.thresholds.copy_(torch.tensor([0.9, 1.2, 2.0]))
    means = (logits.softmax(dim=1) * torch.arange(4)).sum(dim=1)
    found = TASK.probabilities(layer(logits), SQUARED)
    np.testing.assert_array_equal(found.argmax(dim=1), graded(means.numpy(), layer.thresholds.numpy()))
    assert found.sum(dim=1).numpy() == pytest.approx(1, abs=1e-5)
    assert ((found > 1e-4).sum(dim=1) <= 2).all()


@pytest.mark.parametrize("kind", ["squared_error", "earth_mover"])
def test_a_finished_network_predicts_validation_images_with_the_best_kappa(kind: str) -> None:
    means, labels = rows(0, 64, 4, 0.3)
    loss = ClassLoss(Loss(kind=kind), np.ones(4, int), GRADE_LOSSES, 4)
    network = Network(Normalise((0.0,) * 3, (1.0,) * 3), nn.Flatten(), nn.Identity()).eval()
    low = np.floor(means).astype(int).clip(0, 2)
    shares = np.zeros((64, 4), np.float32)
    shares[np.arange(64), low], shares[np.arange(64), low + 1] = 1 - (means - low), means - low
    logits = torch.from_numpy(shares).clamp_min(1e-6).log()
    targets = torch.eye(4)[torch.from_numpy(labels)]
    TASK.finish(network, loss, lambda: iter([(logits[:40], targets[:40]), (logits[40:], targets[40:])]))
    found = TASK.probabilities(network.head(logits), Loss(kind=kind)).argmax(dim=1).numpy()
    if kind == "earth_mover":
        assert isinstance(network.head, nn.Identity)
        return
    best = kappa(labels, graded(means, fit_thresholds(means, labels, 4)), 4)
    assert kappa(labels, found, 4) == pytest.approx(best, abs=1e-9)
    assert best > kappa(labels, graded(means, np.arange(3) + 0.5), 4) + 0.1
    again = Network(Normalise((0.0,) * 3, (1.0,) * 3), nn.Flatten(), nn.Identity()).eval()
    TASK.as_finished(again, loss.loss, 4)
    again.head.load_state_dict(network.head.state_dict())
    torch.testing.assert_close(again.head(logits), network.head(logits))
