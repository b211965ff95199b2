"""The files and splits of the simulated set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetal_phantom import CLASSES, write_phantom
from fetal_phantom.dataset import SPLITS, stratified_splits

from .samples import SETTINGS, read, seeds


def all_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def image_bytes(folder: Path) -> dict[str, bytes]:
    """Return images and masks by name, from all splits."""
    kinds = [("image", folder), ("mask", folder / "masks")]
    files = [(kind, path) for kind, parent in kinds for split in SPLITS for path in (parent / split).glob("*.png")]
    return {f"{kind} {path.name}": path.read_bytes() for kind, path in files}


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


def test_images_and_masks_are_grey_squares_of_the_given_size(folder: Path, anatomy: pd.DataFrame) -> None:
    for row in anatomy.itertuples():
        image = read(folder / row.split / row.filename)
        mask = read(folder / "masks" / row.split / row.filename)
        assert image.shape == mask.shape == (64, 64)
        assert image.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 255}
    assert "simulat" in (folder / "README.txt").read_text(encoding="utf-8").lower()


def test_every_patient_has_two_or_three_frames_of_one_head(anatomy: pd.DataFrame) -> None:
    frames = anatomy.groupby("patient")
    assert frames.ngroups == SETTINGS["patients"]
    assert frames.size().between(2, 3).all()
    assert set(frames.size()) == {2, 3}
    for column in ("class", "biparietal_diameter_mm", "cephalic_index"):
        assert (frames[column].nunique() == 1).all()
    assert (frames["head_angle_degrees"].nunique() > 1).all()


def test_one_frame_per_patient_on_request(tmp_path: Path) -> None:
    write_phantom(tmp_path, **(SETTINGS | {"patients": 12, "frames": 1}), split_by="patient")
    assert len(pd.read_csv(tmp_path / "anatomy.csv")) == 12


def test_equal_arguments_write_equal_bytes(folder: Path, tmp_path: Path) -> None:
    write_phantom(tmp_path, **SETTINGS, split_by="patient")
    assert all_bytes(tmp_path) == all_bytes(folder)


def test_another_seed_draws_other_images(folder: Path, tmp_path: Path) -> None:
    write_phantom(tmp_path, **(SETTINGS | {"seed": 8, "patients": 10}), split_by="patient")
    first = image_bytes(folder)
    assert all(first.get(name) != image for name, image in image_bytes(tmp_path).items() if "image" in name)


def test_images_do_not_depend_on_the_number_of_patients(folder: Path, tmp_path: Path) -> None:
    write_phantom(tmp_path, **(SETTINGS | {"patients": 15}), split_by="image")
    fewer, more = image_bytes(tmp_path), image_bytes(folder)
    assert len(fewer) >= 60
    assert all(more[name] == content for name, content in fewer.items())


@pytest.mark.parametrize(
    ("name", "value"),
    [("patients", 0), ("frames", 0), ("size", 16), ("difficulty", -0.1), ("difficulty", 1.1),
     ("difficulty", float("nan")), ("seed", -1), ("split_by", "class")],
)  # fmt: skip
def test_arguments_out_of_range_are_errors(name: str, value: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=name):
        write_phantom(tmp_path, **({**SETTINGS, "split_by": "patient"} | {name: value}))
    assert not list(tmp_path.iterdir())


def test_an_existing_set_is_not_overwritten(folder: Path) -> None:
    with pytest.raises(FileExistsError):
        write_phantom(folder, **SETTINGS, split_by="patient")


def test_patients_stay_in_one_split(anatomy: pd.DataFrame) -> None:
    assert (anatomy.groupby("patient")["split"].nunique() == 1).all()


def test_splitting_by_image_leaks_patients(tmp_path: Path) -> None:
    write_phantom(tmp_path, **(SETTINGS | {"size": 32}), split_by="image")
    table = pd.read_csv(tmp_path / "anatomy.csv")
    assert (table.groupby("patient")["split"].nunique() > 1).mean() > 0.3


def test_each_class_is_in_each_split(anatomy: pd.DataFrame) -> None:
    counts = anatomy.groupby(["class", "split"])["patient"].nunique().unstack(fill_value=0)
    assert set(counts.index) == set(CLASSES)
    assert (counts[list(SPLITS)] >= 1).all(axis=None)


@given(st.lists(st.sampled_from(CLASSES), max_size=120), seeds)
def test_splits_are_stratified(labels: list[str], seed: int) -> None:
    units = dict(enumerate(labels))
    splits = stratified_splits(units, np.random.default_rng(seed))
    assert splits.keys() == units.keys()
    for label in set(labels):
        chosen = [splits[unit] for unit, its_label in units.items() if its_label == label]
        if len(chosen) >= 3:
            assert set(chosen) == set(SPLITS)
        for split, share in zip(SPLITS, (0.6, 0.2, 0.2), strict=True):
            assert abs(chosen.count(split) - share * len(chosen)) <= 1.0
