"""Masks beside images: recognised in all their places."""

from __future__ import annotations

from pathlib import Path

import pytest

from .detection import refusal

MASKED = ": segmentation is not supported yet; to read classes all the same, name an explicit data.layout "


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (
            "images/a.png images/b.png masks/a.png masks/b.png",
            "2 of 4 images are masks of others (masks/a.png of images/a",
        ),
        ("set_masks/images/a.jpg set_masks/masks/a.png", "1 of 2 images are masks of others (set_masks/masks/a.png"),
        ("train/a.png train_masks/a_mask.png", "1 of 2 images are masks of others (train_masks/a_mask.png of train/a"),
        ("train/images/a.png train/Ground Truth/a.png", "1 of 2 images are masks of others (train/Ground Truth/a.png"),
        (
            "cyst/a.png cyst/masks/a.png normal/b.png normal/masks/b.png",
            "2 of 4 images are masks of others (cyst/masks",
        ),
        ("cyst/a.png cyst/a_mask.png cyst/a_mask_1.png normal/b.png", "2 of 4 images are masks of others (cyst/a_mask"),
        ("x/000_HC.png x/000_HC_Annotation.png y/1.png", "1 of 3 images are masks of others (x/000_HC_Annotation.png"),
    ],
)
def test_masks_beside_images_are_refused_in_one_line(write_set, tmp_path: Path, images: str, found: str) -> None:
    root = write_set(images.replace("Ground Truth", "Ground_Truth"))
    line = refusal(root)
    assert line.startswith(f"RAW: {found.replace('Ground Truth', 'Ground_Truth')}")
    assert MASKED in line


def test_a_csv_with_a_column_of_masks_is_refused(write_set) -> None:
    table = "image,mask\nx/a.png,y/k.png\nx/b.png,y/l.png\n"
    root = write_set("x/a.png x/b.png y/k.png y/l.png", {"pairs.csv": table})
    assert refusal(root) == "pairs.csv: column 'mask' names masks: segmentation is not supported yet"


def test_real_masks_are_refused(shared: Path) -> None:
    assert refusal(shared / "data" / "fetal_head_masks").startswith("RAW: 999 of 1998 images are masks of others")
