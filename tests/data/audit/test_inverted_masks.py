"""Masks whose foreground surrounds their background are noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medtransfer.data.audit.inverted_masks import inverted_masks_warning
from medtransfer.data.images.packed import Packed, open_packed

DISC = ((np.mgrid[:20, :20] - 9.5) ** 2).sum(axis=0) < 36


def packed(folder: Path, *masks: np.ndarray) -> Packed:
    np.save(folder / "masks.npy", np.stack(masks).astype(np.uint8))
    return open_packed(folder / "masks.npy")


def test_a_foreground_around_the_image_is_a_warning_with_its_remedy(tmp_path: Path) -> None:
    (line,) = inverted_masks_warning(packed(tmp_path, *[~DISC] * 9, DISC), ["lesion"])
    share = f"{(~DISC).mean():.0%}"
    assert line.startswith(
        f"MASKS MAY BE INVERTED: in 9 of 10 images lesion covers the border and {share} of all pixels"
    )
    assert line.endswith("set data.masks.classes: {lesion: 0}")


def test_objects_some_full_images_and_several_classes_are_no_reason(tmp_path: Path) -> None:
    assert inverted_masks_warning(packed(tmp_path, DISC, DISC), ["lesion"]) == []
    assert inverted_masks_warning(packed(tmp_path, ~DISC, DISC, DISC), ["lesion"]) == []
    assert inverted_masks_warning(packed(tmp_path, np.ones((20, 20))), ["lesion", "skin"]) == []
