"""Metrics of masks against scikit-learn and against distances of all pairs of outline pixels, empties included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

from medtransfer.data.images.packed import IGNORED
from medtransfer.tasks.masks.metrics import image_metrics, mask_metrics

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))
PAIRS = SHAPES.flatmap(lambda shape: st.tuples(arrays(np.bool_, shape), arrays(np.bool_, shape)))
SIDES = st.tuples(st.floats(0.1, 5), st.floats(0.1, 5))
EMPTY, FULL = np.zeros((4, 3), bool), np.ones((4, 3), bool)


def outline(mask: np.ndarray) -> np.ndarray:
    """List the pixels of a mask that have one above, below or next to them that is not of it, or no such pixel."""
    padded = np.pad(mask, 1)
    around = [padded[1 + down : padded.shape[0] - 1 + down, 1 + right : padded.shape[1] - 1 + right]
              for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1))]  # fmt: skip
    return np.argwhere(mask & ~np.logical_and.reduce(around))


def distances(truth: np.ndarray, found: np.ndarray, sides: tuple[float, float]) -> tuple[float, float]:
    """Measure every pixel of one outline against every pixel of the other, the plain way."""
    between = cdist(outline(truth) * sides, outline(found) * sides)
    there, back = between.min(axis=1), between.min(axis=0)
    return max(np.percentile(there, 95), np.percentile(back, 95)), float(np.concatenate([there, back]).mean())


@settings(max_examples=200)
@given(pair=PAIRS, sides=SIDES)
@example(pair=(EMPTY, EMPTY), sides=(1.0, 1.0))
@example(pair=(EMPTY, FULL), sides=(1.0, 1.0))
@example(pair=(FULL, EMPTY), sides=(1.0, 2.0))
@example(pair=(FULL, FULL), sides=(1.0, 1.0))
def test_metrics_are_those_of_an_independent_implementation(
    pair: tuple[np.ndarray, np.ndarray], sides: tuple[float, float]
) -> None:
    truth, found = pair
    metrics = mask_metrics(truth, found, sides)
    flat = (truth.ravel(), found.ravel())
    assert metrics["dice"] == pytest.approx(f1_score(*flat, zero_division=1.0))
    assert metrics["iou"] == pytest.approx(jaccard_score(*flat, zero_division=1.0))
    if truth.any():
        assert metrics["recall"] == pytest.approx(recall_score(*flat))
        assert metrics["precision"] == pytest.approx(precision_score(*flat, zero_division=0.0))
    if truth.any() and found.any():
        assert (metrics["hd95"], metrics["assd"]) == pytest.approx(distances(truth, found, sides), rel=1e-9, abs=1e-12)


@settings(max_examples=100)
@given(pair=PAIRS, sides=SIDES)
def test_properties_of_any_two_masks(pair: tuple[np.ndarray, np.ndarray], sides: tuple[float, float]) -> None:
    truth, found = pair
    there, back = mask_metrics(truth, found, sides), mask_metrics(found, truth, sides)
    for name in ("dice", "iou", "hd95", "assd"):
        assert there[name] == pytest.approx(back[name], rel=1e-5)
    assert there["dice"] == pytest.approx(2 * there["iou"] / (1 + there["iou"]))
    same = np.array_equal(truth, found)
    assert (there["dice"] == 1) == same
    assert there["hd95"] == there["assd"] == 0 or not same  # masks with different holes may have the same outline
    if truth.any() and found.any():
        assert there["precision"] == back["recall"]
        assert there["assd"] >= 0 and there["hd95"] <= np.hypot(*(np.array(truth.shape) * sides))


def test_empty_masks_follow_the_stated_rule() -> None:
    both = mask_metrics(EMPTY, EMPTY, (3.0, 4.0))
    missed, imagined = mask_metrics(FULL, EMPTY, (3.0, 4.0)), mask_metrics(EMPTY, FULL, (3.0, 4.0))
    diagonal = np.hypot(4 * 3, 3 * 4)
    expected = {
        "dice": (1, 0, 0), "iou": (1, 0, 0), "precision": (np.nan, 0, 0), "recall": (np.nan, 0, np.nan),
        "hd95": (0, diagonal, diagonal), "assd": (0, diagonal, diagonal),
    }  # fmt: skip
    for name, values in expected.items():
        assert (both[name], missed[name], imagined[name]) == pytest.approx(values, nan_ok=True)


def test_distances_by_hand() -> None:
    """Two bars of one pixel's height, four rows of 2 mm apart, one of them half as long, in columns of 0.5 mm."""
    truth, found = np.zeros((8, 8), bool), np.zeros((8, 8), bool)
    truth[1, :4], found[5, :2] = True, True
    metrics = mask_metrics(truth, found, (2.0, 0.5))
    there = [8, 8, np.hypot(8, 0.5), np.hypot(8, 1.0)]
    assert metrics["assd"] == pytest.approx((sum(there) + 16) / 6, rel=1e-6)
    assert metrics["hd95"] == pytest.approx(np.percentile(there, 95), rel=1e-6)


def test_classes_are_measured_one_by_one_and_averaged() -> None:
    truth = np.array([[1, 1, 2, 2], [0, 0, 0, 0]], np.uint8)
    found = np.array([[1, 0, 2, 2], [0, 0, 0, 0]], np.uint8)
    means, own = image_metrics(truth, found, ["a", "b", "c"], (1.0, 1.0))
    assert own["a"] == mask_metrics(truth == 1, found == 1, (1.0, 1.0))
    assert (own["b"]["dice"], own["c"]["dice"]) == (1.0, 1.0)
    assert means["dice"] == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert means["recall"] == pytest.approx((0.5 + 1) / 2)  # of class c there is nothing to be found
    nothing, _ = image_metrics(truth * 0, found * 0, ["a"], (1.0, 1.0))
    assert np.isnan(nothing["recall"])


def masks_of(*numbers: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.uint8, (6, 7), elements=st.sampled_from(numbers))


@settings(max_examples=50)
@given(truth=masks_of(0, 1, 2, IGNORED), found=masks_of(0, 1, 2), other=masks_of(0, 1, 2))
def test_ignored_pixels_change_no_metric(truth: np.ndarray, found: np.ndarray, other: np.ndarray) -> None:
    ignored = truth == IGNORED
    one, two = (image_metrics(truth, np.where(ignored, rest, found), ["a", "b"], (1.0, 1.0)) for rest in (found, other))
    background = image_metrics(np.where(ignored, 0, truth), np.where(ignored, 0, found), ["a", "b"], (1.0, 1.0))
    np.testing.assert_equal(one, two)
    np.testing.assert_equal(one, background)
