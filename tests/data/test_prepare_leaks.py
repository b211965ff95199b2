"""Sets whose published split leaks, from files to the prepared set: stopped, reported, dropped, split anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medtransfer.data.images.decode import decode
from medtransfer.util.errors import UserError

from .sets import SPLIT_SET, data_of, prepared_from, write_images


@pytest.fixture
def leaking(tmp_path: Path) -> Path:
    """Give a set whose patient 3 trains, and tests under the same name; images 20 x 24."""
    return write_images(tmp_path / "raw", *SPLIT_SET, "test/cyst/patient03_9.png")


def test_leaking_fails_with_the_remedy_and_leaves_a_picture_alone(leaking: Path) -> None:
    with pytest.raises(UserError, match=r"data\.leakage: fail, and 1 groups stand in more than one split"):
        prepared_from(leaking, data_of())
    assert sorted(path.name for path in leaking.parent.iterdir()) == ["leaks.png", "raw"]


def test_reporting_keeps_every_image_and_the_warning(leaking: Path) -> None:
    prepared, audit = prepared_from(leaking, data_of(leakage="report"))
    assert len(prepared.table) == len(SPLIT_SET) + 1
    assert any(warning.startswith("LEAKAGE: 1 groups") for warning in prepared.about["warnings"])
    assert audit["warnings"] == prepared.about["warnings"]
    assert (audit["crossing"]["test"], audit["crossing"]["test_total"]) == (1, 9)


def test_dropping_leaves_images_out_of_table_and_pixels_alike(leaking: Path) -> None:
    prepared, audit = prepared_from(leaking, data_of(leakage="drop"))
    left_out = {"train/cyst/patient03_0.png", "train/cyst/patient03_1.png"}
    assert set(prepared.table["path"]) == {*SPLIT_SET, "test/cyst/patient03_9.png"} - left_out
    assert (audit["images"], audit["left_out"]) == (len(SPLIT_SET) - 1, 2)
    assert len(prepared.images) == len(prepared.table)
    for row, path in enumerate(prepared.table["path"]):
        np.testing.assert_array_equal(prepared.images[row][..., 0], decode(leaking / path, 16, "stretch").pixels)


def test_regrouping_puts_every_group_into_one_split(leaking: Path) -> None:
    prepared, audit = prepared_from(leaking, data_of(leakage="regroup"))
    assert len(prepared.table) == len(SPLIT_SET) + 1
    assert prepared.table.groupby("group")["split"].nunique().max() == 1
    assert audit["crossing"]["groups"] == 1
    assert any(warning.startswith("split anew by group") for warning in audit["warnings"])


def test_a_duplicate_in_another_split_leaks_even_without_a_group_key(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET)
    (raw / "test/cyst/copy.png").write_bytes((raw / SPLIT_SET[2]).read_bytes())
    with pytest.raises(UserError, match="1 of 9 test images"):
        prepared_from(raw, data_of(group=None))


def test_a_class_that_dropping_leaves_no_image_of_is_an_error(tmp_path: Path) -> None:
    leaking = ["train/mass/patient90_0.png", "test/normal/patient90_1.png"]
    raw = write_images(tmp_path / "raw", *SPLIT_SET, *leaking)
    with pytest.raises(UserError, match=r"data\.split: class 'mass' has no training image"):
        prepared_from(raw, data_of(leakage="drop"))
