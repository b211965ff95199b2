"""The section of explanations: the best variant first, with a limited size."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from medtransfer.report.material import Material
from medtransfer.report.sections import explanations as section

from ..comparison import make_comparison
from ..study import EXPLAINED


def test_variants_are_in_the_order_of_the_table_with_one_row_per_method(material: Material) -> None:
    content = section.content(material)
    names = ["resnet_frozen", "small_frozen"]
    assert sorted(EXPLAINED) == names
    assert list(content["sheets"]) == names
    rows = [(variant, cells[0][1]) for variant, cells in content["rows"]]
    assert rows == [(name, method) for name in names for method in ("Grad-CAM", "Occlusion")]
    assert content["left_out"] == 0
    assert "12 test images with a mask (6 groups)" in content["legend"]


def test_without_masks_only_the_sheets_are_shown(material: Material) -> None:
    content = section.content(Material(make_comparison(maps=material.found.maps.iloc[:0]), material.places))
    assert content["rows"] == []
    assert len(content["sheets"]) == len(EXPLAINED)


def test_sheets_that_do_not_fit_are_counted(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    Image.fromarray(noise).save(material.places.contact_sheet("small_frozen"))
    monkeypatch.setattr(section, "MOST_BYTES", 5000)
    content = section.content(material)
    assert list(content["sheets"]) == ["resnet_frozen"]
    assert content["left_out"] == 1
