"""Nearest class mean against tensors worked out by hand, and against its definition (Snell et al. 2017)."""

from __future__ import annotations

import pytest
import torch

from medtransfer.models.heads.prototypes import PrototypeHead

# Their mean is (1, 1); less the mean and scaled to length 1 they are (1, 0), (0, 1), (-1, 0) and (0, -1).
SUPPORT = torch.tensor([[3.0, 1.0], [1.0, 3.0], [-1.0, 1.0], [1.0, -1.0]])


def fitted(features: torch.Tensor, labels: list[int], classes: int) -> PrototypeHead:
    head = PrototypeHead(features.shape[1], classes)
    head.fit(features, torch.tensor(labels))
    return head


def test_prototypes_are_the_class_means_worked_by_hand() -> None:
    head = fitted(SUPPORT, [0, 0, 1, 1], 2)
    torch.testing.assert_close(head.centre, torch.tensor([1.0, 1.0]))
    torch.testing.assert_close(head.prototypes, torch.tensor([[0.5, 0.5], [-0.5, -0.5]]))


def test_scores_are_ten_squared_distances_worked_by_hand() -> None:
    head = fitted(SUPPORT, [0, 0, 1, 1], 2)
    # (6, 1) becomes (1, 0): at (1/2)^2 + (1/2)^2 from the first prototype, (3/2)^2 + (1/2)^2 from the second
    torch.testing.assert_close(head(torch.tensor([[6.0, 1.0]])), torch.tensor([[-5.0, -25.0]]))


def test_one_example_per_class_is_its_prototype() -> None:
    head = fitted(SUPPORT, [3, 1, 0, 2], 4)
    expected = torch.tensor([[-1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [1.0, 0.0]])
    torch.testing.assert_close(head.prototypes, expected)
    assert head(SUPPORT).argmax(dim=1).tolist() == [3, 1, 0, 2]
    torch.testing.assert_close(head(SUPPORT).max(dim=1).values, torch.zeros(4), atol=1e-5, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_the_nearest_class_mean_is_that_of_a_plain_loop(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    features, queries = torch.randn(40, 7, generator=generator), torch.randn(25, 7, generator=generator)
    labels = torch.randint(0, 4, (40,), generator=generator)
    head = fitted(features, labels.tolist(), 4)

    def unit(feature: torch.Tensor) -> torch.Tensor:
        centred = feature - features.mean(dim=0)
        return centred / centred.norm()

    for query, scores in zip(queries, head(queries), strict=True):
        for label in range(4):
            mean = sum(unit(feature) for feature in features[labels == label]) / int((labels == label).sum())
            torch.testing.assert_close(scores[label], -10 * (unit(query) - mean).square().sum())


def test_a_class_without_examples_is_as_far_as_can_be_and_never_chosen() -> None:
    head = fitted(SUPPORT, [0, 0, 2, 2], 3)
    scores = head(torch.randn(50, 2, generator=torch.Generator().manual_seed(0)))
    assert scores.isfinite().all()
    torch.testing.assert_close(scores[:, 1], torch.full((50,), -40.0))
    assert 1 not in scores.argmax(dim=1)


def test_the_order_of_examples_and_a_shift_or_scale_of_all_change_nothing() -> None:
    generator = torch.Generator().manual_seed(1)
    features, queries = torch.randn(12, 5, generator=generator), torch.randn(6, 5, generator=generator)
    labels = [0, 1, 2] * 4
    expected = fitted(features, labels, 3)(queries)
    torch.testing.assert_close(fitted(features.flip(0), labels[::-1], 3)(queries), expected)
    torch.testing.assert_close(fitted(3 * features + 2, labels, 3)(3 * queries + 2), expected)


def test_a_stored_head_gives_the_same_scores() -> None:
    head, other = fitted(SUPPORT, [0, 0, 1, 1], 2), PrototypeHead(2, 2)
    other.load_state_dict(head.state_dict())
    assert torch.equal(other(SUPPORT), head(SUPPORT))
