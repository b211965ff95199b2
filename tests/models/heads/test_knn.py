"""Nearest neighbours against scikit-learn's, and the smoothing of their votes by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from medtransfer.models.heads.knn import NearestNeighbourHead


def fitted(features: torch.Tensor, labels: torch.Tensor, classes: int, neighbours: int) -> NearestNeighbourHead:
    head = NearestNeighbourHead(features.shape[1], classes, neighbours=neighbours)
    head.fit(features, labels)
    return head


@pytest.mark.parametrize("neighbours", [1, 3, 5, 30])
@pytest.mark.parametrize("classes", [2, 4])
def test_votes_are_scikit_learns_by_cosine_distance(classes: int, neighbours: int) -> None:
    rng = np.random.default_rng(neighbours)
    features, queries = rng.normal(size=(30, 6)), rng.normal(size=(40, 6))
    labels = np.r_[np.arange(classes), rng.integers(0, classes, 30 - classes)]
    expected = KNeighborsClassifier(neighbours, metric="cosine").fit(features, labels)
    head = fitted(torch.tensor(features), torch.tensor(labels), classes, neighbours)
    scores = head(torch.tensor(queries)).exp().numpy()
    votes = scores * (neighbours + 1) - 1 / classes  # the one vote that is spread over the classes, taken back
    np.testing.assert_allclose(votes, expected.predict_proba(queries) * neighbours, atol=1e-5)
    np.testing.assert_array_equal(scores.argmax(axis=1), expected.predict(queries))


def test_smoothed_votes_worked_by_hand() -> None:
    features = torch.tensor([[1.0, 0.0], [2.0, 0.1], [0.1, 1.0], [-1.0, 0.0]])
    head = fitted(features, torch.tensor([0, 0, 1, 2]), 4, neighbours=3)
    # the three nearest to (5, 1) are two of class 0 and one of class 1; each class gets a quarter of a vote more
    shares = torch.tensor([[2.25, 1.25, 0.25, 0.25]]) / 4
    torch.testing.assert_close(head(torch.tensor([[5.0, 1.0]])), shares.log())


def test_more_neighbours_than_examples_are_all_examples() -> None:
    head = fitted(torch.eye(3), torch.tensor([0, 1, 1]), 2, neighbours=10)
    torch.testing.assert_close(head(torch.ones(1, 3)).exp(), torch.tensor([[1.5, 2.5]]) / 4)


def test_lengths_of_features_do_not_count() -> None:
    generator = torch.Generator().manual_seed(0)
    features, queries = torch.randn(20, 4, generator=generator), torch.randn(9, 4, generator=generator)
    labels = torch.arange(20) % 3
    expected = fitted(features, labels, 3, 5)(queries)
    lengths = torch.rand(20, 1, generator=generator) + 0.1
    torch.testing.assert_close(fitted(features * lengths, labels, 3, 5)(7 * queries), expected)


def test_a_stored_head_takes_its_number_of_examples_with_it() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(20, 4, generator=generator)
    head, other = fitted(features, torch.arange(20) % 3, 3, 5), NearestNeighbourHead(4, 3, neighbours=5)
    other.load_state_dict(head.state_dict())
    assert torch.equal(other(features), head(features))


def test_the_head_keeps_its_own_labels() -> None:
    labels = torch.tensor([0, 1, 2])
    head = fitted(torch.eye(3), labels, 3, neighbours=1)
    labels.zero_()
    assert head(torch.eye(3)).argmax(dim=1).tolist() == [0, 1, 2]
