"""Predicted masks, their summary, baselines and figure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medtransfer.data.prepared import PIXEL, Prepared
from medtransfer.tasks import TASKS
from medtransfer.tasks.masks.figures import telling_cases, write_mask_figure
from medtransfer.tasks.masks.predictions import (
    MaskPredictions,
    decode_mask,
    encode_mask,
)
from medtransfer.tasks.predictions import write_rows

Build = Callable[..., Prepared]
SIZE = 16


def squares(count: int, classes: int = 1) -> np.ndarray:
    masks = np.zeros((count, SIZE, SIZE), np.uint8)
    for number, mask in enumerate(masks):
        mask[2 : 6 + number % 5, 3:10] = 1 + number % classes
    return masks


@pytest.fixture
def pairs(build_prepared: Build) -> Callable[..., Prepared]:
    """Return a function that builds ten image/mask pairs: 6 train, 2 validate, 2 test, or 5 folds that take turns."""

    def build(classes: int = 1, masks: np.ndarray | None = None, rotating: bool = False) -> Prepared:
        noise = np.random.default_rng(3).integers(0, 9, (10, SIZE, SIZE))
        images = (40 + 60 * squares(10, classes) + noise)[..., None].astype(np.uint8)
        masks = squares(10, classes) if masks is None else masks
        splits = ["rotating"] * 10 if rotating else ["train"] * 6 + ["val"] * 2 + ["test"] * 2
        columns: dict[str, Any] = {"fold": [0, 1, 2, 3, 4] * 2} if rotating else {}
        columns |= {PIXEL[0]: 2.0, PIXEL[1]: 1.5}
        return build_prepared(images=images, masks=masks, label_index=[0] * 10, split=splits, **columns)

    return build


@settings(max_examples=50)
@given(mask=arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20)), elements=st.integers(0, 255)))
def test_a_mask_survives_a_round_trip(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(decode_mask(encode_mask(mask)), mask)


def test_rows_contain_the_masks_and_their_metrics(pairs: Callable[..., Prepared], tmp_path: Path) -> None:
    prepared = pairs(classes=2)
    rows = np.array([8, 9])
    found = prepared.targets(rows)
    found[1] = 0
    frame = TASKS["segmentation"].frame(prepared, rows, found, 0, 7, "test")
    read = MaskPredictions(write_rows(tmp_path / "p.parquet", [frame])).tests
    assert [name for name in read.table if name.startswith("dice: ")] == ["dice: class1", "dice: class2"]
    assert list(read.table["path"]) == list(prepared.table["path"][8:])
    for mask, expected in zip(read.table["mask"], found, strict=True):
        np.testing.assert_array_equal(decode_mask(mask), expected)
    assert read.values("dice").tolist() == [[1.0, 0.5]]
    assert read.table["dice: class1"].tolist() == [1.0, 1.0]
    assert read.table["hd95: class2"].tolist() == [0.0, np.hypot(2.0 * SIZE, 1.5 * SIZE)]
    assert read.table["found_pixels"].tolist() == [np.count_nonzero(found[0]), 0]


def test_a_replicate_has_every_image_once_if_folds_rotate(pairs: Callable[..., Prepared]) -> None:
    prepared = pairs(rotating=True)
    frames = []
    for seed in (0, 1):
        for fold in range(5):
            rows = prepared.roles(fold).test
            found = prepared.targets(rows) if seed else np.zeros((len(rows), SIZE, SIZE), np.uint8)
            frames.append(TASKS["segmentation"].frame(prepared, rows, found, fold, seed, "test"))
    predictions = MaskPredictions(pd.concat(frames, ignore_index=True))
    assert predictions.values("dice").tolist() == [[0.0] * 10, [1.0] * 10]
    assert list(predictions.images["path"]) == sorted(prepared.table["path"])


def test_a_summary_by_hand(pairs: Callable[..., Prepared]) -> None:
    masks = squares(10)
    masks[9] = 0
    prepared = pairs(masks=masks)
    rows = np.array([8, 9])
    half = prepared.targets(rows)
    half[0, :, 3:6] = 0  # of seven columns four are left, and nothing is imagined
    wrong = np.zeros_like(half)
    wrong[:, 0, 0] = 1
    frames = [
        TASKS["segmentation"].frame(prepared, rows, found, 0, seed, "test") for seed, found in enumerate((half, wrong))
    ]
    found = TASKS["segmentation"].summary(pd.concat(frames, ignore_index=True), prepared)
    dice = 2 * (4 / 7) / (1 + 4 / 7)
    assert found["runs"]["fold0_seed0"]["dice"] == pytest.approx((dice + 1) / 2)
    assert found["runs"]["fold0_seed0"]["recall"] == pytest.approx(4 / 7)  # that of the empty one is not defined
    assert found["runs"]["fold0_seed1"]["dice"] == 0
    assert found["mean"]["dice"] == pytest.approx((dice + 1) / 4)
    assert found["sd"]["dice"] == pytest.approx((dice + 1) / 2 / np.sqrt(2))
    assert found["classes"][prepared.mask_classes[0]]["dice"] == found["mean"]["dice"]
    assert found["empty"] == {"images": 1, "found_empty": 0.5}
    assert (found["unit"], found["test_images"]) == (prepared.unit, 2)


def test_the_majority_mask_is_the_mean_mask_above_one_half(pairs: Callable[..., Prepared]) -> None:
    prepared = pairs()
    (frame,) = [f for f in TASKS["segmentation"].baseline_frames("constant", prepared) if f["role"].iloc[0] == "test"]
    expected = prepared.targets(np.arange(6)).mean(axis=0) > 0.5
    for mask in frame["mask"]:
        np.testing.assert_array_equal(decode_mask(mask), expected)


def test_the_nearest_mask_is_that_of_a_copy(pairs: Callable[..., Prepared]) -> None:
    prepared = pairs()  # row r and row r - 5 have equal masks, and images that differ in noise alone
    frames = pd.concat(TASKS["segmentation"].baseline_frames("nearest_neighbour", prepared))
    test = frames[frames["role"] == "test"]
    assert list(test["path"]) == list(prepared.table["path"][8:])
    assert test["dice"].tolist() == [1.0, 1.0]
    assert set(frames["role"]) == {"validation", "test"}


def test_a_baseline_sees_training_masks_alone(pairs: Callable[..., Prepared]) -> None:
    masks = squares(10)
    changed = masks.copy()
    changed[6:] = 1
    task = TASKS["segmentation"]
    for name in task.baselines:
        frames = (pd.concat(task.baseline_frames(name, pairs(masks=which))) for which in (masks, changed))
        first, second = (frame["mask"].tolist() for frame in frames)
        assert first == second


def test_the_cases_are_the_best_the_median_and_the_worst() -> None:
    rows = pd.DataFrame({"path": list("abcdefgh"), "dice": [0.9, 0.1, 0.5, 0.7, 0.3, 0.8, 1.0, 0.0]})
    rows = rows.assign(truth_pixels=[5] * 6 + [0, 0], found_pixels=[5] * 6 + [0, 9])
    assert [(title, case["path"]) for title, case in telling_cases(rows)] == [
        ("best", "a"), ("best", "f"), ("median", "d"), ("median", "c"), ("worst", "b"), ("worst", "h"),
    ]  # fmt: skip
    assert len(telling_cases(rows[:1])) <= 6


@pytest.mark.parametrize("classes", [1, 2])
def test_the_figure_is_drawn_the_same_twice(pairs: Callable[..., Prepared], tmp_path: Path, classes: int) -> None:
    prepared = pairs(classes=classes)
    rows = prepared.roles(0).test
    frame = TASKS["segmentation"].frame(prepared, rows, np.roll(prepared.targets(rows), 2, axis=2), 0, 0, "test")
    columns = ("fold", "seed", "epoch", "train_loss", "validation_loss", "train_dice", "validation_dice")
    pd.DataFrame([(0, 0, e, 1 / (e + 1), 1 / (e + 1), 0.5, 0.4) for e in range(3)], columns=columns).to_csv(
        tmp_path / "history.csv", index=False
    )
    for name in ("one", "two"):
        write_mask_figure(
            "a_unet", tmp_path / "history.csv", MaskPredictions(frame), prepared, tmp_path / f"{name}.png"
        )
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
