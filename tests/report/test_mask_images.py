"""Which masks are shown, and that the pictures of them are those of the masks."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from medtransfer.data.prepared import Prepared
from medtransfer.report.mask_images import FoundMasks, hard_masks_section, mask_choice
from medtransfer.report.page import write_report
from medtransfer.report.section import Material
from medtransfer.report.thumbnails import MASK_SIDE, area_of, outline_of
from medtransfer.util.places import Places

from .browser import Browser
from .masks import IMAGES, SHIFTS, make_mask_comparison, true_masks, write_mask_places

DICE = arrays(float, st.tuples(st.integers(1, 12), st.integers(2, 4)), elements=st.floats(0, 1))


@pytest.fixture
def mask_places(tmp_path: Path, build_prepared: Callable[..., Prepared]) -> Places:
    """Give the files of a study of masks."""
    return write_mask_places(tmp_path, build_prepared)


@pytest.fixture
def mask_material(mask_places: Places) -> Material:
    """Give what the sections of such a study are made from."""
    return Material(make_mask_comparison(mask_places), mask_places)


def opaque(uri: str) -> np.ndarray:
    """Give where a stencil is opaque."""
    picture = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGBA")
    return np.asarray(picture)[..., 3] > 0


def found_masks(dice: np.ndarray) -> FoundMasks:
    names = [f"v{number}" for number in range(dice.shape[1])]
    rows = [
        {"variant": name, "path": f"{row:02}", "truth_pixels": 1, "found_pixels": 1, "dice": dice[row, number]}
        for number, name in enumerate(names)
        for row in range(len(dice))
    ]
    return FoundMasks(pd.DataFrame(rows), names)


@given(DICE)
def test_each_pair_of_variants_has_its_largest_difference_to_show(dice: np.ndarray) -> None:
    masks = found_masks(dice)
    pool = masks.telling(1000)
    assert len(pool) == len(set(pool))
    for a, b in permutations(range(dice.shape[1]), 2):
        gaps = masks.dice.iloc[:, a] - masks.dice.iloc[:, b]
        assert gaps.loc[pool].max() == gaps.max()


@given(DICE)
def test_the_hardest_images_are_those_whose_best_is_the_least(dice: np.ndarray) -> None:
    shown = [int(path) for path in found_masks(dice).hardest(3)]
    assert sorted(dice.max(axis=1)[shown]) == sorted(dice.max(axis=1))[:3]


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


def test_a_disc_is_hollow() -> None:
    outline, area = opaque(outline_of(true_masks()[-1])), opaque(area_of(true_masks()[-1]))
    assert 0 < outline.sum() < area.sum() / 2


def test_the_worst_masks_are_shown_with_what_the_best_variant_found(mask_material: Material) -> None:
    section = hard_masks_section(mask_material)
    assert section is not None
    spoken = (true_masks().sum(axis=(1, 2)) > 0).sum()
    assert section.content["all"] == len(section.content["images"]) == spoken
    first = section.content["images"][0]
    assert (first["path"], first["name"]) == ("image001.png", "resnet_frozen")
    np.testing.assert_array_equal(opaque(first["truth"]), opaque(area_of(true_masks()[1])))
    np.testing.assert_array_equal(opaque(first["outline"]), opaque(outline_of(np.roll(true_masks()[1], 1, axis=1))))


def test_the_script_gets_counts_of_all_and_outlines_of_some(mask_material: Material) -> None:
    choice = mask_choice(mask_material, list(SHIFTS))
    better = np.array(choice["betterMask"])
    assert (better[0, 1:] == (true_masks().sum(axis=(1, 2)) > 0).sum()).all()
    assert (np.diag(better) == 0).all()
    for image in choice["masks"]:
        assert image["dice"] == sorted(image["dice"], reverse=True)
        shifted = np.roll(true_masks()[int(image["path"][5:8])], SHIFTS["small_frozen"], axis=1)
        np.testing.assert_array_equal(opaque(image["outlines"][2]), opaque(outline_of(shifted)))


def test_a_task_without_masks_has_neither(material: Material) -> None:
    assert hard_masks_section(material) is None
    assert mask_choice(material, list(SHIFTS)) == {"masks": []}


def test_the_page_of_masks_in_a_browser(started_browser: Browser, mask_places: Places) -> None:
    write_report(make_mask_comparison(mask_places), mask_places)
    started_browser.open(mask_places.root / "report" / "index.html")
    assert started_browser.complaints() == []
    sections = started_browser.run("return [...document.querySelectorAll('main section')].map(each => each.id)")
    assert sections == [
        "comparison",
        "cost",
        "factors",
        "pairs",
        "masks",
        "learning",
        "hard_masks",
        "audit",
        "origin",
        "checklists",
    ]
    heading = started_browser.one("#only-a p").text
    assert heading == "16 images whose mask resnet_frozen finds better than small_frozen"
    assert len(started_browser.all("#only-a figure")) == 8
    assert [
        len(started_browser.all(f"#only-a figure:first-child .{kind}")) for kind in ("truth", "found-a", "found-b")
    ] == [1, 1, 1]
    assert started_browser.one("#only-b p").text == "No images whose mask small_frozen finds better than resnet_frozen"
    assert "HD95 (mm)" in started_browser.one("table.comparison thead").text
    assert len(started_browser.all("#learning svg")) == IMAGES // 5
