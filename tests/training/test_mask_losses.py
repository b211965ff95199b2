"""Losses of masks compared with formulas written in NumPy, and their edge cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from medtransfer.data.images.packed import IGNORED
from medtransfer.study import Loss
from medtransfer.training.losses import MASK_LOSSES, SMOOTHING, MaskLoss

PIXELS = np.array([50, 30, 20])


def loss_of(logits: np.ndarray, masks: np.ndarray, pixels: np.ndarray | None = None, **loss: Any) -> float:
    counts = np.zeros(logits.shape[1], np.int64) if pixels is None else pixels
    found = MaskLoss(Loss(**loss), counts)(torch.from_numpy(logits), torch.from_numpy(masks))
    return float(found)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def one_hot(masks: np.ndarray, classes: int) -> np.ndarray:
    return np.moveaxis(np.eye(classes)[masks], -1, 1)


def cross_entropy(logits: np.ndarray, masks: np.ndarray) -> float:
    return float(-np.log((softmax(logits) * one_hot(masks, logits.shape[1])).sum(axis=1)).mean())


def binary_cross_entropy(logits: np.ndarray, masks: np.ndarray) -> float:
    right = 1 / (1 + np.exp(-logits * (2 * one_hot(masks, logits.shape[1]) - 1)))
    return float(-np.log(right).mean())


def tversky(logits: np.ndarray, masks: np.ndarray, alpha: float = 0.3, beta: float = 0.7) -> float:
    shares, truth = softmax(logits), one_hot(masks, logits.shape[1])
    found = []
    for number in range(1, logits.shape[1]):
        p, t = shares[:, number], truth[:, number]
        overlap, extra, missed = (p * t).sum(), (p * (1 - t)).sum(), ((1 - p) * t).sum()
        score = (overlap + SMOOTHING) / (overlap + alpha * extra + beta * missed + SMOOTHING)
        found.append(1 - score if t.any() else 0.0)
    return float(np.mean(found))


def dice(logits: np.ndarray, masks: np.ndarray) -> float:
    return tversky(logits, masks, 0.5, 0.5)


def focal(logits: np.ndarray, masks: np.ndarray, gamma: float = 2.0) -> float:
    right = 1 / (1 + np.exp(-logits * (2 * one_hot(masks, logits.shape[1]) - 1)))
    return float((-np.log(right) * (1 - right) ** gamma).mean())


FORMULAS = {
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "dice": dice,
    "dice_cross_entropy": lambda logits, masks: dice(logits, masks) + cross_entropy(logits, masks),
    "focal": focal,
    "tversky": tversky,
}


@pytest.mark.parametrize("kind", FORMULAS)
@settings(max_examples=15)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 4), classes=st.integers(2, 4), present=st.integers(1, 4))
def test_every_loss_equals_its_formula(kind: str, seed: int, count: int, classes: int, present: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, classes, 8, 6))
    masks = rng.integers(0, min(present, classes), (count, 8, 6)).astype(np.uint8)
    expected = FORMULAS[kind](logits, masks)
    assert loss_of(logits.astype(np.float32), masks, kind=kind) == pytest.approx(expected, rel=2e-4, abs=2e-6)


def test_the_options_of_tversky_and_focal() -> None:
    rng = np.random.default_rng(0)
    logits, masks = rng.normal(0, 1, (2, 2, 8, 8)).astype(np.float32), rng.integers(0, 2, (2, 8, 8)).astype(np.uint8)
    found = loss_of(logits, masks, kind="tversky", alpha=0.9, beta=0.1)
    assert found == pytest.approx(tversky(logits, masks, 0.9, 0.1), rel=1e-5)
    assert loss_of(logits, masks, kind="focal", gamma=0.0) == pytest.approx(
        binary_cross_entropy(logits, masks), rel=1e-5
    )


def test_balanced_weights_equal_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    masks = rng.choice(3, size=(2, 8, 8), p=[0.7, 0.2, 0.1]).astype(np.uint8)
    pixels = np.bincount(masks.ravel(), minlength=3)
    logits = rng.normal(0, 1, (2, 3, 8, 8)).astype(np.float32)
    weights = compute_class_weight("balanced", classes=np.arange(3), y=masks.ravel())[masks]
    terms = -np.log((softmax(logits) * one_hot(masks, 3)).sum(axis=1))
    found = loss_of(logits, masks, pixels, kind="cross_entropy", class_weights="balanced")
    assert found == pytest.approx((terms * weights).sum() / weights.sum(), rel=1e-5)
    both = loss_of(logits, masks, pixels, kind="dice_cross_entropy", class_weights="balanced")
    assert both == pytest.approx(found + dice(logits, masks), rel=1e-5)


@pytest.mark.parametrize("kind", FORMULAS)
@pytest.mark.parametrize("present", [False, True], ids=["empty masks", "full masks"])
def test_empty_and_full_masks_have_finite_losses_and_gradients(kind: str, present: bool) -> None:
    logits = torch.full((2, 2, 4, 4), 30.0, requires_grad=True)
    loss = MaskLoss(Loss(kind=kind), np.zeros(2, np.int64))(logits, torch.full((2, 4, 4), int(present)).byte())
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("kind", FORMULAS)
def test_following_the_gradient_finds_the_mask(kind: str) -> None:
    masks = torch.zeros(1, 8, 8, dtype=torch.uint8)
    masks[0, 2:5, 3:7] = 1
    logits = torch.zeros(1, 2, 8, 8, requires_grad=True)
    loss = MaskLoss(Loss(kind=kind), np.zeros(2, np.int64))
    optimizer = torch.optim.Adam([logits], lr=0.3)
    for _ in range(40):
        optimizer.zero_grad()
        loss(logits, masks).backward()
        optimizer.step()
    assert torch.equal(logits.argmax(dim=1), masks.long())


def test_the_loss_is_float32_in_lower_precision() -> None:
    logits = torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    masks = torch.ones(1, 8, 8, dtype=torch.uint8)
    for kind in FORMULAS:
        assert MaskLoss(Loss(kind=kind), np.zeros(2, np.int64))(logits, masks).dtype == torch.float32


@pytest.mark.parametrize("kind", MASK_LOSSES)
def test_ignored_pixels_change_neither_the_loss_nor_the_others_gradients(kind: str) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 3, 6, 8, generator=generator)
    masks = torch.randint(0, 3, (2, 6, 8), generator=generator)
    ignored = masks.clone()
    ignored[:, :, 5:] = IGNORED
    loss = MaskLoss(Loss(kind=kind), PIXELS, ignores=True)
    cut, whole = logits[..., :5].clone().requires_grad_(), logits.clone().requires_grad_()
    expected = MaskLoss(Loss(kind=kind), PIXELS)(cut, masks[..., :5])
    found = loss(whole, ignored)
    torch.testing.assert_close(found, expected)
    expected.backward()
    found.backward()
    assert cut.grad is not None and whole.grad is not None
    torch.testing.assert_close(whole.grad[..., :5], cut.grad)
    assert not whole.grad[..., 5:].any()
    torch.testing.assert_close(loss(logits, masks), MaskLoss(Loss(kind=kind), PIXELS)(logits, masks))


def test_a_batch_of_ignored_pixels_alone_costs_nothing() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = MaskLoss(Loss(kind="cross_entropy"), PIXELS, ignores=True)(logits, torch.full((2, 4, 4), IGNORED))
    loss.backward()
    assert float(loss) == 0
    assert logits.grad is not None and not logits.grad.any()
