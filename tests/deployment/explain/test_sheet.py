"""Contact sheets: maps overlaid on their images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from medtransfer.deployment.explain.sheet import COLOURS, STRENGTH, Picture, caption, overlay, write_sheet


def test_an_overlay_is_the_image_where_the_map_is_zero_and_tinted_at_its_maximum() -> None:
    pixels = np.full((2, 2, 1), 100, np.uint8)
    found = overlay(pixels, np.array([[0.0, 0.2], [0.0, 0.4]]))
    assert found[:, 0].tolist() == [[100] * 3] * 2
    full = (1 - STRENGTH) * 100 / 255 + STRENGTH * np.array(COLOURS(1.0)[:3])
    assert np.abs(found[1, 1] - 255 * full).max() <= 0.5
    assert overlay(pixels, np.zeros((2, 2))).tolist() == [[[100] * 3] * 2] * 2
    colour = np.random.default_rng(0).integers(0, 255, (2, 2, 3), np.uint8)
    assert np.array_equal(overlay(colour, np.zeros((2, 2))), colour)


def test_a_caption_has_the_label_and_the_prediction() -> None:
    assert caption("a/b.png", "cyst", "cyst", 0.934) == "b.png\ncyst\nprobability 93%"
    assert caption("a/b.png", "cyst", "mass", 0.61) == "b.png\ncyst, predicted as\nmass 61%"


def picture(seed: int, masked: bool) -> Picture:
    rng = np.random.default_rng(seed)
    mask = np.zeros((8, 8), np.uint8)
    mask[2:5, 3:6] = 2
    maps = {"grad_cam": rng.random((8, 8)), "occlusion": np.zeros((8, 8))}
    return Picture(rng.integers(0, 255, (8, 8, 1), np.uint8), mask if masked else None, "a\nb\nc $x_1$", maps)


def test_a_sheet_is_bit_identical_twice_and_has_one_row_per_picture(tmp_path: Path) -> None:
    blocks = {"right": [picture(1, True), picture(2, False)], "wrong": []}
    for name in ("first", "second"):
        write_sheet("title", "note", blocks, tmp_path / f"{name}.png")
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
    write_sheet("title", "note", {"right": [picture(1, True)] * 5}, tmp_path / "tall.png")
    with Image.open(tmp_path / "first.png") as two, Image.open(tmp_path / "tall.png") as five:
        assert five.height > 2 * two.height - 100
        assert five.width == two.width


def test_a_sheet_without_pictures_is_written_too(tmp_path: Path) -> None:
    write_sheet("title", "note", {"right": [], "wrong": []}, tmp_path / "empty.png")
    assert (tmp_path / "empty.png").stat().st_size > 0
