"""Net benefit, by hand and by its definition."""

from __future__ import annotations

import numpy as np
import pytest

from medtransfer.statistics.thresholds import THRESHOLDS, benefit_of_treating, net_benefit_by_image


def test_an_example_worked_by_hand() -> None:
    # at .2, three are treated, of whom two need it: 2/5 - 1/5 x .2/.8 = .35; at .5 two, one of them: 1/5 - 1/5 x 1 = 0
    truth = np.array([True, True, False, False, False])
    scores = np.array([[0.9, 0.3, 0.6, 0.1, 0.1]])
    found = net_benefit_by_image(truth, scores, np.array([0.2, 0.5])).mean(axis=0)
    np.testing.assert_allclose(found, [0.35, 0.0], atol=1e-15)


def test_net_benefit_is_true_positives_minus_weighted_false_positives() -> None:
    rng = np.random.default_rng(0)
    truth, scores = rng.random(200) < 0.3, rng.random((3, 200)).astype(np.float32)
    found = net_benefit_by_image(truth, scores).mean(axis=0)
    for threshold, value in zip(THRESHOLDS, found, strict=True):
        called = scores >= threshold
        true, false = (called & truth).sum() / 600, (called & ~truth).sum() / 600
        assert value == pytest.approx(true - false * threshold / (1 - threshold), abs=1e-12)


def test_the_benefit_of_treating_all_follows_from_the_prevalence() -> None:
    truth = np.array([True, False, False, False])
    np.testing.assert_allclose(benefit_of_treating(truth, np.array([0.25, 0.5])).mean(axis=0), [0.0, -0.5], atol=1e-15)
