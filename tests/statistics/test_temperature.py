"""Temperature scaling: the known temperature is found, and no other has a lower loss."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from medtransfer.statistics.calibration import RANGE, fit_temperature, scale


def overconfident(count: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw labels by softmax(logits), and give the softmax of logits x temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, 4))
    true = softmax(logits, axis=1)
    labels = (rng.random(count)[:, None] > true.cumsum(axis=1)[:, :3]).sum(axis=1)
    return labels, softmax(logits * temperature, axis=1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_of_known_probabilities_is_found(temperature: float) -> None:
    assert fit_temperature(*overconfident(40000, temperature)) == pytest.approx(temperature, rel=0.05)


def test_no_other_temperature_has_a_lower_loss() -> None:
    labels, probabilities = overconfident(200, 2.5)
    found = fit_temperature(labels, probabilities)
    losses = [
        log_loss(labels, scale(probabilities, temperature))
        for temperature in found * np.array([0.9, 0.99, 1, 1.01, 1.1])
    ]
    assert np.argmin(losses) == 2


def test_for_two_classes_it_is_logistic_regression_without_an_intercept() -> None:
    rng = np.random.default_rng(0)
    logit = rng.normal(size=400) * 3
    labels = (rng.random(400) < 1 / (1 + np.exp(-logit / 2))).astype(int)
    probabilities = softmax(np.stack([np.zeros(400), logit], axis=1), axis=1)
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(logit[:, None], labels)
    assert fit_temperature(labels, probabilities) == pytest.approx(1 / model.coef_[0, 0], rel=1e-5)


def test_scaling_keeps_the_order_of_classes_and_one_keeps_everything() -> None:
    _, probabilities = overconfident(50, 2.0)
    scaled = scale(probabilities, 3.0)
    np.testing.assert_array_equal(scaled.argsort(axis=1), probabilities.argsort(axis=1))
    np.testing.assert_allclose(scaled.sum(axis=1), 1)
    np.testing.assert_allclose(scale(probabilities, 1.0), probabilities)


def test_a_model_that_is_always_right_stays_within_the_range() -> None:
    found = fit_temperature(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))
    assert RANGE[0] <= found < 0.05
