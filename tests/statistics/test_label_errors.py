"""Confident learning worked out by hand, and on labels that were flipped."""

from __future__ import annotations

import numpy as np
import pytest

from medtransfer.statistics.label_errors import label_doubts


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
