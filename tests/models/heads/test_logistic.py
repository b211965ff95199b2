"""Logistic regression against scikit-learn's own probabilities."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from medtransfer.models.heads.logistic import LogisticHead


def some_features(labels: np.ndarray, width: int = 5) -> np.ndarray:
    """Draw features on scales of their own whose means differ by class."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(labels.max() + 1, width))
    scales = 10.0 ** rng.uniform(-1, 2, width)
    return ((rng.normal(size=(len(labels), width)) + centres[labels]) * scales + 3 * scales).astype(np.float32)


def fitted(features: np.ndarray, labels: np.ndarray, classes: int) -> LogisticHead:
    head = LogisticHead(features.shape[1], classes)
    head.fit(torch.from_numpy(features), torch.from_numpy(labels))
    return head


def probabilities(head: LogisticHead, features: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return head(torch.from_numpy(features)).softmax(dim=1).numpy()


@pytest.mark.parametrize("present", [[0, 1], [0, 1, 2, 3]], ids=["two classes", "four classes"])
def test_probabilities_are_scikit_learns_on_standardised_features(present: list[int]) -> None:
    labels = np.repeat(present, 15)
    features = some_features(labels)
    reference = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(
        features.astype(np.float64), labels
    )
    found = probabilities(fitted(features, labels, len(present)), features)
    np.testing.assert_allclose(found, reference.predict_proba(features.astype(np.float64)), atol=1e-4)


@pytest.mark.parametrize("present", [[0, 3], [0, 2, 3]], ids=["two of four", "three of four"])
def test_classes_without_examples_get_next_to_nothing_and_the_others_scikit_learns_share(present: list[int]) -> None:
    labels = np.repeat(present, 15)
    features = some_features(labels)
    reference = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(
        features.astype(np.float64), labels
    )
    found = probabilities(fitted(features, labels, 4), features)
    absent = sorted({0, 1, 2, 3} - set(present))
    assert found[:, absent].max() < 1e-6
    np.testing.assert_allclose(found[:, present], reference.predict_proba(features.astype(np.float64)), atol=1e-4)


@pytest.mark.parametrize("present", [[0, 3], [0, 2, 3]])
def test_a_class_without_examples_is_never_chosen_however_far_a_feature_is(present: list[int]) -> None:
    labels = np.repeat(present, 15)
    features = some_features(labels)
    far = 1000 * np.random.default_rng(1).normal(size=(200, 5)).astype(np.float32)
    assert set(probabilities(fitted(features, labels, 4), far).argmax(axis=1)) <= set(present)


def test_a_feature_that_never_varies_does_no_harm() -> None:
    labels = np.repeat([0, 1, 2], 10)
    features = some_features(labels)
    with_constant = np.column_stack([features, np.full(len(features), 4.0, np.float32)])
    found = probabilities(fitted(with_constant, labels, 3), with_constant)
    np.testing.assert_allclose(found, probabilities(fitted(features, labels, 3), features), atol=1e-4)


def test_fitting_twice_gives_the_same_bits() -> None:
    labels = np.repeat([0, 1, 2], 10)
    features = some_features(labels)
    first, second = fitted(features, labels, 3), fitted(features, labels, 3)
    assert torch.equal(first.dense.weight, second.dense.weight)
    assert torch.equal(first.dense.bias, second.dense.bias)
