"""The size of a packed pixel, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medtransfer.data.images.spacing import pixel_sides, read_spacing
from medtransfer.study import Spacing
from medtransfer.util.errors import UserError


@pytest.mark.parametrize(("resize", "sides"), [("stretch", [5.0, 10.0]), ("crop", [5.0, 5.0]), ("pad", [10.0, 10.0])])
def test_the_sides_of_a_packed_pixel_in_pixels_of_its_image(resize: Any, sides: list[float]) -> None:
    shapes = pd.DataFrame({"width": [640, 64], "height": [320, 64]})
    np.testing.assert_allclose(pixel_sides(shapes, 64, resize), [sides, [1.0, 1.0]])


def table_of(folder: Path, text: str) -> Spacing:
    (folder / "set").mkdir()
    (folder / "set/sizes.csv").write_text(text)
    return Spacing(file="sizes.csv", image="name", column="mm")


def test_the_spacing_of_a_csv_finds_its_image(tmp_path: Path) -> None:
    spacing = table_of(tmp_path, "name,mm\nb.png,0.25\ny/a,0.5\nother.png,9\n")
    found = read_spacing(tmp_path, "set", spacing, ["set/y/a.png", "set/x/b.png"])
    assert found.tolist() == [0.5, 0.25]


def test_one_number_applies_to_every_image(tmp_path: Path) -> None:
    assert read_spacing(tmp_path, ".", Spacing(mm=0.1), ["a.png", "b.png"]).tolist() == [0.1, 0.1]


def test_every_image_without_a_spacing_is_listed(tmp_path: Path) -> None:
    spacing = table_of(tmp_path, "name,mm\na.png,0\nb.png,wide\nd.png,1\n")
    with pytest.raises(UserError) as raised:
        read_spacing(tmp_path, "set", spacing, [f"set/{name}.png" for name in "abcd"])
    assert raised.value.problems == [
        f"data.masks.spacing: sizes.csv: expected a number above 0 for set/{name}.png, but got none" for name in "abc"
    ]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"file": "none.csv"}, "none.csv: not a readable CSV table"),
        ({"column": "m"}, "sizes.csv has no column 'm'; did you mean"),
    ],
)
def test_a_missing_table_or_column_is_an_error(tmp_path: Path, changes: dict[str, str], problem: str) -> None:
    spacing = table_of(tmp_path, "name,mm\na.png,1\n").model_copy(update=changes)
    with pytest.raises(UserError, match=problem):
        read_spacing(tmp_path, "set", spacing, ["set/a.png"])
