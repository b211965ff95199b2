"""Test sets from elsewhere: what is written, labels that one side lacks, and copies of images that are learned from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medtransfer.data.external import match_channels, prepare_external
from medtransfer.data.prepared import Prepared
from medtransfer.study import Data
from medtransfer.util.errors import UserError

from .sets import data_of, prepared_from, write_images

HOME = [
    f"{split}/{name}/patient{name}{split}{number}_0.png"
    for split in ("train", "test")
    for name in "ab"
    for number in range(4)
]
THERE = [f"{name}/{number}.png" for name in ("A", "c") for number in range(3)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Prepared]:
    """Return a set of two classes, raw and prepared."""
    raw = write_images(tmp_path_factory.mktemp("home"), *HOME, *(f"val/{name}/v{name}_0.png" for name in "ab"))
    return raw, prepared_from(raw, data_of(group=None))[0]


def section(leakage: str = "fail", **external: Any) -> Data:
    own = {"source": "folder", "folder": "there", "layout": "class_folders", "labels": {"aliases": {"A": "a"}}}
    return data_of(group=None, leakage=leakage, external={"hospital": own | external})


def there(folder: Path) -> Path:
    return write_images(folder / "raw", *THERE, seed=5)


def test_the_set_has_the_classes_and_the_form_of_the_studys_own(home: tuple[Path, Prepared], tmp_path: Path) -> None:
    data = section(labels={"aliases": {"A": "a"}, "drop": ["c"]})
    labels = {"aliases": {"A": "a", "c": "b"}}
    found = prepare_external("hospital", there(tmp_path), section(labels=labels), home[1], "classes", tmp_path / "out")
    assert found.table["label_index"].tolist() == [0, 0, 0, 1, 1, 1]
    assert found.classes == ["a", "b"]
    assert set(found.table["split"]) == {"test"}
    assert found.roles(0).test.tolist() == list(range(6))
    assert found.images.shape == (6, *home[1].images.shape[1:])
    assert (tmp_path / "out" / "data.md").is_file()
    with pytest.raises(UserError, match="expected two or more classes"):
        prepare_external("hospital", tmp_path / "raw", data, home[1], "classes", tmp_path / "other")


def test_a_label_that_the_study_does_not_know_is_an_error_with_both_remedies(
    home: tuple[Path, Prepared], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"external\.hospital\.labels: 1 label.*does not know: c.*drop: \[c\]"):
        prepare_external("hospital", there(tmp_path), section(), home[1], "classes", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("leakage", ["fail", "drop", "report"])
def test_copies_of_learned_images_are_treated_as_the_study_says(
    home: tuple[Path, Prepared], tmp_path: Path, leakage: str
) -> None:
    raw = there(tmp_path)
    shutil.copy(home[0] / HOME[0], raw / "A" / "copied.png")
    shutil.copy(home[0] / HOME[-1], raw / "A" / "of_a_test_image.png")
    data = section(leakage, labels={"aliases": {"A": "a", "c": "b"}})
    if leakage == "fail":
        with pytest.raises(UserError, match=r"1 image of 8 .*copies.*A/copied\.png and train/a"):
            prepare_external("hospital", raw, data, home[1], "classes", tmp_path / "out")
        return
    found = prepare_external("hospital", raw, data, home[1], "classes", tmp_path / "out")
    assert ("A/copied.png" in set(found.table["path"])) == (leakage == "report")
    assert "A/of_a_test_image.png" in set(found.table["path"])
    assert any("LEAKAGE" in warning for warning in found.about["warnings"]) == (leakage == "report")


def test_classes_without_images_there_are_named(home: tuple[Path, Prepared], tmp_path: Path) -> None:
    raw = write_images(
        tmp_path / "three",
        *(
            f"{split}/{name}/{name}{split}{number}.png"
            for split in ("train", "val", "test")
            for name in "abc"
            for number in range(3)
        ),
    )
    three = prepared_from(raw, data_of(group=None))[0]
    labels = {"aliases": {"A": "a", "c": "b"}}
    found = prepare_external("hospital", there(tmp_path), section(labels=labels), three, "classes", tmp_path / "out")
    assert found.classes == ["a", "b", "c"]
    assert any("ABSENT THERE: no image is known to show c" in warning for warning in found.about["warnings"])


def test_a_warning_names_the_fields_of_the_external_set(home: tuple[Path, Prepared], tmp_path: Path) -> None:
    """The numbers of `A` and `c` are the same, and may be those of the same patients."""
    data = section(labels={"aliases": {"A": "a", "c": "b"}}, group={"pattern": r"^(\d+)"})
    found = prepare_external("hospital", there(tmp_path), data, home[1], "classes", tmp_path / "out")
    (warning,) = [each for each in found.about["warnings"] if "GROUPS ACROSS CLASSES" in each]
    assert warning.count("data.external.hospital.group: ") == 2
    assert "set data.group" not in warning


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_get_the_channels_of_the_studys_own(tmp_path: Path, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 5, 4 - channels), np.uint8)
    np.save(tmp_path / "images.npy", pixels)
    match_channels(tmp_path / "images.npy", channels)
    found = np.load(tmp_path / "images.npy")
    assert found.shape == (3, 5, 5, channels)
    for image, other in zip(found, pixels, strict=True):
        expected = np.asarray(Image.fromarray(other.squeeze()).convert("L" if channels == 1 else "RGB"))
        np.testing.assert_array_equal(image.squeeze(), expected)
