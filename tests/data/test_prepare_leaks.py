"""Sets whose published split leaks, from files to the prepared set: refused, reported, dropped, split again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medtransfer.data.images.decode import decode
from medtransfer.util.errors import UserError

from .sets import SPLIT_SET, data_of, prepared_from, write_images


@pytest.fixture(autouse=True)
def state_folder_in_a_temporary_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


@pytest.fixture
def leaking(tmp_path: Path) -> Path:
    """Return a set whose patient 3 is in train and in test; images 20 x 24."""
    return write_images(tmp_path / "raw", *SPLIT_SET, "test/cyst/patient03_9.png")


def test_a_leak_is_an_error_with_the_remedy_and_only_its_figure_is_written(leaking: Path) -> None:
    with pytest.raises(UserError, match=r"data\.leakage: fail, and 1 group is in more than one split"):
        prepared_from(leaking, data_of())
    written = [path for path in leaking.parent.rglob("*") if path.is_file() and leaking not in path.parents]
    assert written == [leaking.parent / ".medtransfer/leaking_images.png"]


def test_reporting_keeps_every_image_with_a_warning(leaking: Path) -> None:
    prepared, audit = prepared_from(leaking, data_of(leakage="report"))
    assert len(prepared.table) == len(SPLIT_SET) + 1
    assert any(warning.startswith("LEAKAGE: 1 group") for warning in prepared.about["warnings"])
    assert audit["warnings"] == prepared.about["warnings"]
    assert (audit["crossing"]["test"], audit["crossing"]["test_total"]) == (1, 9)


def test_dropping_leaves_images_out_of_both_table_and_pixels(leaking: Path) -> None:
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
    assert any(warning.startswith("split again by group") for warning in audit["warnings"])


def test_a_duplicate_in_another_split_leaks_even_without_a_group_key(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET)
    (raw / "test/cyst/copy.png").write_bytes((raw / SPLIT_SET[2]).read_bytes())
    with pytest.raises(UserError, match="1 of 9 test images"):
        prepared_from(raw, data_of(group=None))


def test_a_class_without_images_after_dropping_is_an_error(tmp_path: Path) -> None:
    leaking = ["train/mass/patient90_0.png", "test/normal/patient90_1.png"]
    raw = write_images(tmp_path / "raw", *SPLIT_SET, *leaking)
    with pytest.raises(UserError, match=r"data\.split: class 'mass' has no training image"):
        prepared_from(raw, data_of(leakage="drop"))
