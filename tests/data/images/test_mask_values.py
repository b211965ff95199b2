"""The values of masks that may mean several classes are offered as classes, ready to paste."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from medtransfer.data.images.decode_masks import decode_masks
from medtransfer.data.images.mask_values import classes_of_values

BLOCK = np.zeros((16, 16), np.uint8)
BLOCK[4:12, 4:12] = 1


def saved(folder: Path, *masks: np.ndarray, suffix: str = ".png") -> list[Path]:
    paths = [folder / f"m{number}{suffix}" for number in range(len(masks))]
    for path, mask in zip(paths, masks, strict=True):
        Image.fromarray(mask).save(path)
    return paths


@pytest.mark.parametrize(
    ("masks", "offered"),
    [
        ([BLOCK * 2], "{foreground: 2}"),
        ([BLOCK, BLOCK * 2], "{class_1: 1, class_2: 2}"),
        ([BLOCK.astype(np.uint16) * 700], "{foreground: 700}"),
        ([BLOCK[..., None] * np.array([255, 0, 0], np.uint8)], "{foreground: '#ff0000'}"),
        (
            [BLOCK[..., None] * np.array([0, 0, 255], np.uint8), BLOCK * 128],
            "{class_0000ff: '#0000ff', class_808080: '#808080'}",
        ),
    ],
)
def test_each_value_is_a_class(tmp_path: Path, masks: list[np.ndarray], offered: str) -> None:
    paths = saved(tmp_path, *masks)
    text = classes_of_values(paths)
    assert text == f"data.masks.classes: {offered}"
    classes = yaml.safe_load(offered)
    found = [decode_masks([path], (16, 16), classes, 16, "pad")[1] for path in paths]
    assert frozenset().union(*found) == set(range(1, 1 + len(classes)))


def test_white_may_be_a_class_or_ignored(tmp_path: Path) -> None:
    mask = BLOCK * 3
    mask[12:, :] = 255
    assert classes_of_values(saved(tmp_path, mask)) == (
        "data.masks.classes: {class_3: 3, class_255: 255}; or, if 255 is to be ignored: data.masks.classes: "
        "{foreground: 3} and data.masks.ignore: 255"
    )


def test_too_many_values_few_pixels_and_lossy_files_are_no_classes(tmp_path: Path) -> None:
    assert classes_of_values(saved(tmp_path, np.repeat(np.arange(16, dtype=np.uint8), 16).reshape(16, 16))) is None
    few = BLOCK * 2
    few[0, :3] = 99
    assert classes_of_values(saved(tmp_path, few)) == "data.masks.classes: {foreground: 2}"
    assert classes_of_values(saved(tmp_path, BLOCK * 128, suffix=".jpg")) is None
