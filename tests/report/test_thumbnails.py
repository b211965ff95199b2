"""Thumbnails are small versions of their images, and stencils have the shape of their masks."""

from __future__ import annotations

import base64
import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from medtransfer.data.prepared import Prepared
from medtransfer.report import thumbnails
from medtransfer.report.material import Material
from medtransfer.report.thumbnails import MASK_SIDE, Thumbnails, area_of, outline_of

from .masks import opaque, true_masks
from .study import image_paths


def test_thumbnails_are_small_versions_of_their_images_up_to_a_limit(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = Prepared(material.places.root / "data/prepared")
    shown = Thumbnails(prepared).of(image_paths()[3])
    assert shown is not None
    kind, _, content = shown.partition(",")
    assert kind == "data:image/webp;base64"
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("L"), float)
    pixels = prepared.images[3].squeeze().astype(float)
    assert np.corrcoef(picture.ravel(), pixels.ravel())[0, 1] > 0.8
    monkeypatch.setattr(thumbnails, "MOST_BYTES", 10)
    assert Thumbnails(prepared).of(image_paths()[3]) is None


@given(arrays(np.uint8, (9, 9), elements=st.integers(0, 2)))
def test_stencils_are_the_mask_and_its_rim(mask: np.ndarray) -> None:
    scaled = cv2.resize(mask, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_NEAREST)
    area, outline = opaque(area_of(mask)), opaque(outline_of(mask))
    np.testing.assert_array_equal(area, scaled > 0)
    assert not (outline & ~area).any()
    padded = np.pad(scaled, 1)
    around = [
        padded[1 + y : 1 + y + MASK_SIDE, 1 + x : 1 + x + MASK_SIDE] for y, x in ((0, 1), (1, 0), (0, -1), (-1, 0))
    ]
    rim = (scaled > 0) & np.any([neighbour < scaled for neighbour in around], axis=0)
    assert outline[rim].all()


def test_the_outline_of_a_disc_is_hollow() -> None:
    outline, area = opaque(outline_of(true_masks()[-1])), opaque(area_of(true_masks()[-1]))
    assert 0 < outline.sum() < area.sum() / 2
