"""Mixed images: the share that a mix returns is that of its pixels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtransfer.augmentation.mixing import MIXES, cutmix, mixup
from medtransfer.augmentation.views import ViewMaker
from medtransfer.data.prepared import Prepared
from medtransfer.study import Policy

SIDES = st.integers(1, 24)
SHARES = st.floats(0.0, 1.0)
RNG = np.random.default_rng(0)


class CentreAt:
    """A generator with known integers."""

    def __init__(self, *centre: int) -> None:
        self._next = iter(centre)

    def integers(self, _: int) -> int:
        return next(self._next)


def constant(value: int, height: int = 8, width: int = 8, channels: int = 1) -> np.ndarray:
    return np.full((height, width, channels), value, np.uint8)


def test_a_mixup_worked_out_by_hand() -> None:
    first, second = np.array([[[200], [0], [255]]], np.uint8), np.array([[[100], [1], [255]]], np.uint8)
    blend, share = mixup(first, second, 0.25, RNG)
    assert blend.dtype == np.uint8
    assert blend.ravel().tolist() == [125, 1, 255]  # 50 + 75, 0.75 rounded, 255 without overflow
    assert share == 0.25


@given(st.integers(0, 255), st.integers(0, 255), SHARES)
def test_a_mixup_is_the_weighted_mean_to_half_a_grey_level(first: int, second: int, share: float) -> None:
    blend, _ = mixup(constant(first, 1, 1), constant(second, 1, 1), share, RNG)
    assert abs(int(blend[0, 0, 0]) - (share * first + (1 - share) * second)) <= 0.5 + 1e-3


@pytest.mark.parametrize(
    ("centre", "rows", "columns", "left"),
    [
        ((4, 4), slice(2, 6), slice(2, 6), 1 - 16 / 64),
        ((0, 4), slice(0, 2), slice(2, 6), 1 - 8 / 64),
        ((7, 7), slice(5, 8), slice(5, 8), 1 - 9 / 64),
    ],
    ids=["inside", "cut at the top", "cut at a corner"],
)
def test_a_cutmix_box_of_a_quarter_worked_out_by_hand(
    centre: tuple[int, int], rows: slice, columns: slice, left: float
) -> None:
    mixed, share = cutmix(constant(1), constant(2), 0.75, CentreAt(*centre))
    expected = constant(1)
    expected[rows, columns] = 2
    np.testing.assert_array_equal(mixed, expected)
    assert share == left


@given(SIDES, SIDES, SHARES, st.integers(0, 1000))
def test_the_share_of_a_cutmix_is_that_of_the_pixels_left(height: int, width: int, share: float, seed: int) -> None:
    first, second = constant(1, height, width, 3), constant(2, height, width, 3)
    mixed, left = cutmix(first, second, share, np.random.default_rng(seed))
    assert left == pytest.approx((mixed == 1).mean(), abs=1e-12)
    assert left >= share - 1e-12  # a box is cut at the border, never larger than requested
    pasted = (mixed == 2).all(axis=2)
    box = np.ix_(pasted.any(axis=1), pasted.any(axis=0))
    assert pasted[box].all()  # the pasted pixels are one rectangle
    assert (first == 1).all()  # and the image itself is unchanged


def test_a_cutmix_moves_no_pixel() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 128, (9, 7, 1), np.uint8), rng.integers(128, 256, (9, 7, 1), np.uint8)
    mixed, left = cutmix(first, second, 0.4, rng)
    assert 0 < left < 1
    np.testing.assert_array_equal(mixed, np.where(mixed < 128, first, second))


def test_a_share_of_one_changes_nothing() -> None:
    mixed, left = cutmix(constant(1), constant(2), 1.0, np.random.default_rng(0))
    assert left == 1.0
    np.testing.assert_array_equal(mixed, constant(1))


def test_a_registered_mix_is_used_by_name(
    build_prepared: Callable[..., Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    def halves(
        first: np.ndarray, second: np.ndarray, share: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, float]:
        middle = len(first) // 2
        return np.concatenate([first[:middle], second[middle:]]), middle / len(first)

    monkeypatch.setattr(MIXES, "_items", dict(MIXES))
    MIXES.entry("halves")(halves)
    policy = Policy.model_validate({"transforms": [], "mix": {"method": "cutmix"}})
    policy = policy.model_copy(update={"mix": policy.mix.model_copy(update={"method": "halves"})})
    images = np.stack([constant(10), constant(20)])
    prepared = build_prepared(images=images, label_index=[0, 1], split=["train"] * 2)
    pixels, label = ViewMaker(prepared, policy, 0).draw(0, 0)
    assert np.unique(pixels[:4]) == 10
    assert np.unique(pixels[4:]) == 20
    assert label.tolist() == [0.5, 0.5]
