"""Sets with masks, from files to the prepared set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fetal_phantom import write_phantom
from medtransfer.data.prepare import prepare
from medtransfer.data.prepared import Prepared
from medtransfer.util.errors import UserError
from medtransfer.util.files import sha256_of_file
from medtransfer.util.places import Places

from .sets import SPLIT_SET, data_of, phantom_data, prepared_from, write_images


def test_masks_are_packed_with_their_images_and_dropped_with_them(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET, "test/cyst/patient01_9.png")
    (raw / "test/normal").mkdir(exist_ok=True)
    kept = sorted([*SPLIT_SET, "test/cyst/patient01_9.png"])
    for number, name in enumerate(kept):
        mask = np.zeros((20, 24), np.uint8)
        mask[:, : 3 + number % 16] = 255
        path = raw / "masks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)
    masks = {"folder": "masks", "spacing": 0.5}
    prepared, audit = prepared_from(raw, data_of(masks=masks, leakage="drop", split={"method": "published"}))
    assert audit["left_out"] == 2  # patient01 in train
    assert prepared.masks is not None
    assert prepared.masks.shape == (len(prepared.table), 16, 16)
    assert prepared.mask_classes == ["foreground"]
    assert prepared.unit == audit["masks"]["unit"] == "mm"
    for path, mask in zip(prepared.table["path"], prepared.masks, strict=True):
        assert abs(mask.mean() * 24 - (3 + kept.index(path) % 16)) <= 0.75  # half a packed pixel
    assert set(prepared.table["pixel_height"]) == {20 / 16 * 0.5}
    assert set(prepared.table["pixel_width"]) == {24 / 16 * 0.5}
    assert prepared.about["masks"]["sha256"] == sha256_of_file(prepared.folder / "masks.npy")


def test_a_simulated_set_has_its_lesions_as_masks_and_their_area_in_mm(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    write_phantom(raw, patients=20, frames=1, size=64, difficulty=0.0, split_by="patient", seed=1)
    spacing = {"file": "anatomy.csv", "image": "filename", "column": "pixel_spacing_mm"}
    prepared, audit = prepared_from(raw, phantom_data(masks={"folder": "masks", "spacing": spacing}))
    truth = pd.read_csv(raw / "anatomy.csv").set_index("filename")
    truth = truth.loc[[path.rsplit("/", 1)[1] for path in prepared.table["path"]]]
    assert prepared.masks is not None
    pixel = prepared.table["pixel_height"] * prepared.table["pixel_width"]
    areas = prepared.masks[:].sum(axis=(1, 2)) * pixel.to_numpy()
    np.testing.assert_allclose(areas.sum(), truth["lesion_area_mm2"].sum(), rtol=0.05)
    assert audit["masks"]["empty"] == (truth["class"] == "normal").sum()


def test_a_set_for_segmentation_needs_no_classes(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *(f"images/{number}.png" for number in range(12)))
    for number in range(10):
        write_mask = Image.fromarray(np.full((20, 24), 255 * (number % 2), np.uint8))
        (raw / "truth").mkdir(exist_ok=True)
        write_mask.save(raw / f"truth/{number}_mask.png")
    data = data_of(layout="auto", masks="auto", group=None, split={"method": "random"})
    with pytest.raises(UserError, match=r"data\.masks: 2 of 12 images have no mask"):
        prepare(raw, data, 1, Places(tmp_path), "segmentation", "masks")
    dropping = data.model_copy(update={"masks": data.masks.model_copy(update={"missing": "drop"})})  # type: ignore[union-attr]
    audit = prepare(raw, dropping, 1, Places(tmp_path), "segmentation", "masks")
    prepared = Prepared(Places(tmp_path).prepared)
    assert (audit["layout"], audit["images"], audit["masks"]["empty"]) == ("images", 10, 5)
    assert prepared.task == "segmentation"
