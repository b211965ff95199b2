"""Losses compared with torch's own on hard labels, and with numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from medtransfer.models.torchvision_models import library
from medtransfer.study import Loss
from medtransfer.training.losses import CLASS_LOSSES, ClassLoss, probabilities

COUNTS = np.array([4, 1, 3])
LABELS = torch.tensor([0, 0, 0, 0, 1, 2, 2, 2])
HARD = functional.one_hot(LABELS, 3).float()


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(8, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_equals_torchs_on_class_numbers(logits: torch.Tensor, smoothing: float) -> None:
    found = ClassLoss(Loss(label_smoothing=smoothing), COUNTS)(logits, HARD)
    torch.testing.assert_close(found, functional.cross_entropy(logits, LABELS, label_smoothing=smoothing))


def test_binary_cross_entropy_equals_torchs_on_one_hot_labels(logits: torch.Tensor) -> None:
    found = ClassLoss(Loss(kind="binary_cross_entropy"), COUNTS)(logits, HARD)
    torch.testing.assert_close(found, functional.binary_cross_entropy_with_logits(logits, HARD))


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_focal_loss_of_two_classes_equals_torchvisions_of_their_difference(gamma: float) -> None:
    logits = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    logits[0] = torch.tensor([200.0, -200.0])  # sure to the last bit
    logits, labels = logits.requires_grad_(), LABELS.clamp_max(1)
    found = ClassLoss(Loss.model_validate({"kind": "focal", "gamma": gamma}), np.array([4, 4]))(
        logits, functional.one_hot(labels, 2).float()
    )
    focal = library("torchvision.ops").sigmoid_focal_loss
    expected = focal(logits[:, 1] - logits[:, 0], labels.float(), alpha=-1, gamma=gamma, reduction="mean")
    torch.testing.assert_close(found, expected)
    assert torch.autograd.grad(found, logits)[0].isfinite().all()


def test_focal_loss_without_focus_is_the_cross_entropy(logits: torch.Tensor) -> None:
    soft = 0.7 * HARD + 0.1
    focal = ClassLoss(Loss.model_validate({"kind": "focal", "gamma": 0.0, "class_weights": "balanced"}), COUNTS)
    torch.testing.assert_close(focal(logits, soft), ClassLoss(Loss(class_weights="balanced"), COUNTS)(logits, soft))


def test_balanced_weights_equal_scikit_learns(logits: torch.Tensor) -> None:
    weights = compute_class_weight("balanced", classes=np.arange(3), y=LABELS.numpy())
    found = ClassLoss(Loss(class_weights="balanced"), COUNTS)(logits, HARD)
    terms = functional.cross_entropy(logits, LABELS, reduction="none")
    torch.testing.assert_close(found, (terms * torch.tensor(weights, dtype=torch.float32)[LABELS]).mean())


def test_a_soft_label_is_the_mean_of_the_losses_of_its_parts() -> None:
    logits = torch.tensor([[2.0, -1.0]])
    loss = ClassLoss(Loss(), np.array([1, 1]))
    first, second = (float(loss(logits, torch.tensor([label]))) for label in ([1.0, 0.0], [0.0, 1.0]))
    mixed = float(loss(logits, torch.tensor([[0.25, 0.75]])))
    assert mixed == pytest.approx(0.25 * first + 0.75 * second)
    assert first == pytest.approx(np.log(1 + np.exp(-3.0)), rel=1e-6)


def test_probabilities_are_softmax_or_scaled_sigmoids() -> None:
    logits = torch.tensor([[0.0, np.log(3.0)]], dtype=torch.float32)
    torch.testing.assert_close(probabilities(logits, Loss()), torch.tensor([[0.25, 0.75]]))
    binary = probabilities(logits, Loss(kind="binary_cross_entropy"))
    torch.testing.assert_close(binary, torch.tensor([[0.5 / 1.25, 0.75 / 1.25]]))


def test_scaled_sigmoids_of_very_low_scores_stay_probabilities() -> None:
    found = probabilities(torch.full((1, 3), -120.0), Loss(kind="binary_cross_entropy"))
    torch.testing.assert_close(found, torch.full((1, 3), 1 / 3))


def test_a_loss_is_added_from_outside_by_one_function(monkeypatch: pytest.MonkeyPatch, logits: torch.Tensor) -> None:
    def brier(logits: torch.Tensor, shares: torch.Tensor, *, gamma: float = 1.0) -> torch.Tensor:
        return gamma * (logits.softmax(dim=-1) - shares).square().sum(dim=-1)

    monkeypatch.setitem(CLASS_LOSSES._items, "brier", brier)
    found = ClassLoss(Loss.model_construct(kind="brier", gamma=3.0), COUNTS)(logits, HARD)
    torch.testing.assert_close(found, 3 * (logits.softmax(dim=1) - HARD).square().sum(dim=1).mean())


@pytest.mark.parametrize(
    "loss",
    [
        Loss(label_smoothing=0.1),
        Loss(kind="binary_cross_entropy", class_weights="balanced"),
        Loss(kind="focal", class_weights="balanced"),
    ],
)
def test_losses_treat_further_dimensions_as_more_images(loss: Loss) -> None:
    assert ClassLoss(loss, COUNTS).takes_more_dimensions()


@pytest.mark.parametrize("dim", [-1, 2])
def test_a_loss_that_takes_no_further_dimensions_is_recognised(monkeypatch: pytest.MonkeyPatch, dim: int) -> None:
    def brier(logits: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
        return (logits.softmax(dim=dim) - shares).square().sum(dim=dim)

    monkeypatch.setitem(CLASS_LOSSES._items, "brier", brier)
    assert not ClassLoss(Loss.model_construct(kind="brier"), COUNTS).takes_more_dimensions()
