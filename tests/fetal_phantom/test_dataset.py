"""The files of the simulated set: valid, the same twice, and refused arguments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fetal_phantom import CLASSES, write_phantom
from fetal_phantom.splits import SPLITS

from .samples import SETTINGS, read


def all_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def image_bytes(folder: Path) -> dict[str, bytes]:
    """Images and masks by name, whatever split they are in."""
    named = {}
    for split in SPLITS:
        for kind, place in (("image", folder / split), ("mask", folder / "masks" / split)):
            named |= {f"{kind} {path.name}": path.read_bytes() for path in place.glob("*.png")}
    return named


def test_one_hot_tables_are_valid(folder: Path, anatomy: pd.DataFrame) -> None:
    labels = anatomy.set_index("filename")["class"]
    for split in SPLITS:
        table = pd.read_csv(folder / split / "_classes.csv")
        assert list(table.columns) == ["filename", *CLASSES]
        hot = table[list(CLASSES)].to_numpy()
        assert np.isin(hot, (0, 1)).all()
        assert (hot.sum(axis=1) == 1).all()
        assert sorted(table["filename"]) == sorted(path.name for path in (folder / split).glob("*.png"))
        named = [CLASSES[column] for column in hot.argmax(axis=1)]
        assert named == labels[table["filename"]].tolist()


def test_images_and_masks_are_grey_squares_of_the_size(folder: Path, anatomy: pd.DataFrame) -> None:
    for row in anatomy.itertuples():
        image = read(folder / row.split / row.filename)
        mask = read(folder / "masks" / row.split / row.filename)
        assert image.shape == mask.shape == (64, 64)
        assert image.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 255}
    assert "simulat" in (folder / "README.txt").read_text(encoding="utf-8").lower()


def test_every_patient_has_two_to_three_frames_of_one_head(anatomy: pd.DataFrame) -> None:
    frames = anatomy.groupby("patient")
    assert frames.ngroups == SETTINGS["patients"]
    assert frames.size().between(2, 3).all()
    assert set(frames.size()) == {2, 3}
    for column in ("class", "biparietal_diameter_mm", "cephalic_index"):
        assert (frames[column].nunique() == 1).all()
    assert (frames["head_angle_degrees"].nunique() > 1).all()


def test_a_single_frame_where_one_is_asked_for(tmp_path: Path) -> None:
    write_phantom(tmp_path, **(SETTINGS | {"patients": 12, "frames": 1}), split_by="patient")
    assert len(pd.read_csv(tmp_path / "anatomy.csv")) == 12


def test_same_arguments_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_phantom(tmp_path, **SETTINGS, split_by="patient")
    assert all_bytes(tmp_path) == all_bytes(folder)


def test_another_seed_gives_other_images(folder: Path, tmp_path: Path) -> None:
    write_phantom(tmp_path, **(SETTINGS | {"seed": 8, "patients": 10}), split_by="patient")
    first = image_bytes(folder)
    assert all(first.get(name) != image for name, image in image_bytes(tmp_path).items() if "image" in name)


def test_images_do_not_depend_on_the_number_of_patients(folder: Path, tmp_path: Path) -> None:
    write_phantom(tmp_path, **(SETTINGS | {"patients": 15}), split_by="image")
    fewer, more = image_bytes(tmp_path), image_bytes(folder)
    assert len(fewer) >= 60
    assert all(more[name] == content for name, content in fewer.items())


@pytest.mark.parametrize(
    "wrong",
    [
        {"patients": 0},
        {"frames": 0},
        {"size": 16},
        {"difficulty": -0.1},
        {"difficulty": 1.1},
        {"difficulty": float("nan")},
        {"seed": -1},
        {"split_by": "class"},
    ],
)
def test_wrong_arguments_are_refused(wrong: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        write_phantom(tmp_path, **({**SETTINGS, "split_by": "patient"} | wrong))
    assert not list(tmp_path.iterdir())


def test_an_existing_set_is_not_overwritten(folder: Path) -> None:
    with pytest.raises(FileExistsError):
        write_phantom(folder, **SETTINGS, split_by="patient")
