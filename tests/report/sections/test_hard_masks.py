"""The images that every variant segments badly."""

from __future__ import annotations

import numpy as np

from medtransfer.report.material import Material
from medtransfer.report.sections import hard_masks
from medtransfer.report.thumbnails import area_of, outline_of

from ..masks import opaque, true_masks


def test_the_worst_masks_are_shown_with_the_prediction_of_the_best_variant(mask_material: Material) -> None:
    content = hard_masks.content(mask_material)
    masked = (true_masks().sum(axis=(1, 2)) > 0).sum()
    assert content["all"] == len(content["images"]) == masked
    first = content["images"][0]
    assert (first["path"], first["name"]) == ("image001.png", "resnet_frozen")
    np.testing.assert_array_equal(opaque(first["truth"]), opaque(area_of(true_masks()[1])))
    np.testing.assert_array_equal(opaque(first["outline"]), opaque(outline_of(np.roll(true_masks()[1], 1, axis=1))))
