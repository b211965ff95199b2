"""Confident learning worked out by hand, and on labels that were flipped."""

from __future__ import annotations

import numpy as np
import pytest

from medtransfer.statistics.label_errors import finding_doubts, label_doubts, number_doubts


def test_a_label_is_suspect_if_another_class_reaches_its_usual_confidence() -> None:
    labels = np.array([0, 0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.45, 0.55]])
    found = label_doubts(labels, probabilities)  # thresholds: 0.6 and 0.625
    assert found.suspect.tolist() == [False, False, True, False, False]
    assert found.suggested.tolist() == [1, 1, 1, 0, 0]
    assert found.margin == pytest.approx([0.8, 0.6, -0.8, 0.4, 0.1])
    assert found.order.tolist() == [2, 4, 3, 1, 0]


def test_a_class_without_labels_is_never_confident() -> None:
    found = label_doubts(np.array([0, 1]), np.array([[0.1, 0.2, 0.7], [0.1, 0.2, 0.7]]))
    assert not (found.suspect & (found.suggested == 2)).any()


@pytest.mark.parametrize("share", [0.05, 0.1])
def test_flipped_labels_come_first(share: float) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 5, 2000)
    logits = rng.normal(size=(2000, 5)) + 3 * np.eye(5)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    flipped = rng.random(2000) < share
    labels = np.where(flipped, (truth + rng.integers(1, 5, 2000)) % 5, truth)
    found = label_doubts(labels, probabilities)
    first = found.order[: flipped.sum()]
    assert flipped[first].mean() > 6 * share


def test_the_least_believed_known_finding_of_an_image_is_kept() -> None:
    values = np.array([[1, 0], [1, 1], [0, np.nan], [0, 0], [np.nan, np.nan]])
    probabilities = np.array([[0.9, 0.3], [0.2, 0.9], [0.1, 0.9], [0.2, 0.1], [0.9, 0.9]])
    found = finding_doubts(values, probabilities)
    alone = label_doubts(np.array([1, 1, 0, 0]), np.array([[0.1, 0.9], [0.8, 0.2], [0.9, 0.1], [0.8, 0.2]]))
    assert found.suggested.tolist()[:4] == [1, 0, 0, 0]
    assert found.margin == pytest.approx([0.4, -0.6, 0.8, 0.6, np.inf])
    assert found.suspect.tolist()[1] == alone.suspect[1]
    assert found.order[0] == 1
    assert found.order[-1] == 4


def test_numbers_far_from_their_prediction_are_suspect() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(100, 20, 500)
    predicted = truth + rng.normal(3, 2, 500)
    wrong = truth.copy()
    wrong[:10] += 40
    found = number_doubts(wrong, predicted)
    assert set(found.order[:10]) == set(range(10))
    assert found.suspect[:10].all()
    assert found.suspect[10:].mean() < 0.01
    assert found.margin[0] == pytest.approx(-(40 / 2), rel=0.3)
    assert not number_doubts(truth, truth).suspect.any()
