"""From a published set to the prepared one: what is written, what is refused, and nothing in between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from outs import outs_in
from PIL import Image

from medtransfer.dataset.decode import decode
from medtransfer.dataset.prepare import COLUMNS, prepare
from medtransfer.dataset.prepared import Prepared
from medtransfer.errors import UserError
from medtransfer.files import sha256_of_file, sha256_of_folder
from medtransfer.sources.phantom import write_phantom
from medtransfer.study import Data

BY_PATIENT = {"pattern": r"^(patient\d+)_"}


def data_of(**fields: Any) -> Data:
    return Data.model_validate(
        {
            "source": "folder",
            "folder": "somewhere",
            "layout": "split_folders",
            "group": BY_PATIENT,
            "image_size": 16,
            "resize": "stretch",
            "split": {"method": "published"},
            "leakage": "fail",
        }
        | fields
    )


def phantom_data(**fields: Any) -> Data:
    return data_of(source="phantom", phantom={}, layout="one_hot_csv", image_size=32, **fields)


def write_images(raw: Path, *names: str, seed: int = 0) -> Path:
    """Write a grey image of noise under each name, all different."""
    rng = np.random.default_rng(seed)
    for name in names:
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 24), np.uint8)).save(raw / name)
    return raw


def names_of(split: str, patients: range, frames: int = 2) -> list[str]:
    return [
        f"{split}/{'cyst' if patient % 2 else 'normal'}/patient{patient:02}_{frame}.png"
        for patient in patients
        for frame in range(frames)
    ]


SPLIT_SET = [*names_of("train", range(8)), *names_of("val", range(8, 12)), *names_of("test", range(12, 16))]


def prepared_from(raw: Path, data: Data, seed: int = 1) -> tuple[Prepared, dict[str, Any]]:
    outs = outs_in(raw.parent)
    audit = prepare(raw, data, seed, outs)
    assert json.loads(outs.audit.read_text(encoding="utf-8")) == audit
    return Prepared(outs.prepared), audit


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Prepared, dict[str, Any]]:
    """Give a tiny simulated set, raw and prepared, and its audit."""
    raw = tmp_path_factory.mktemp("phantom") / "raw"
    write_phantom(raw, patients=40, frames=2, size=40, difficulty=0.0, split_by="patient", seed=1)
    return raw, *prepared_from(raw, phantom_data())


def test_the_table_is_the_truth_that_the_simulation_wrote_beside_it(
    phantom: tuple[Path, Prepared, dict[str, Any]],
) -> None:
    raw, prepared, _ = phantom
    table = prepared.table
    assert tuple(table.columns) == COLUMNS
    truth = pd.read_csv(raw / "anatomy.csv").set_index("filename")
    rows = truth.loc[[path.rsplit("/", 1)[1] for path in table["path"]]]
    assert table["label"].tolist() == rows["class"].tolist()
    assert table["split"].tolist() == rows["split"].replace("valid", "val").tolist()
    assert len(table) == len(truth)
    assert [prepared.classes[number] for number in table["label_index"]] == table["label"].tolist()
    assert prepared.classes == sorted(truth["class"].unique())
    assert table.groupby("group").ngroups == truth["patient"].nunique()
    assert (table["group"] == table["path"].str.extract(r"/(patient\d+)_", expand=False)).all()


def test_every_row_of_pixels_is_its_own_image(phantom: tuple[Path, Prepared, dict[str, Any]]) -> None:
    raw, prepared, _ = phantom
    assert prepared.images.shape == (len(prepared.table), 32, 32, 1)
    assert prepared.images.dtype == np.uint8
    for row, path in enumerate(prepared.table["path"]):
        found = decode(raw / path, 32, "stretch")
        np.testing.assert_array_equal(prepared.images[row, ..., 0], found.pixels)
        assert prepared.table["sha256"].iloc[row] == found.sha256


def test_pixels_are_mapped_and_cannot_be_written(phantom: tuple[Path, Prepared, dict[str, Any]]) -> None:
    _, prepared, _ = phantom
    assert isinstance(prepared.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        prepared.images[0] = 0


def test_the_description_ties_the_files_together(phantom: tuple[Path, Prepared, dict[str, Any]]) -> None:
    _, prepared, _ = phantom
    assert prepared.about["pixels_sha256"] == sha256_of_file(prepared.folder / "images.npy")
    assert prepared.about["table_sha256"] == sha256_of_file(prepared.folder / "table.parquet")
    assert prepared.folds == 1
    assert sorted(path.name for path in prepared.folder.iterdir()) == ["dataset.json", "images.npy", "table.parquet"]
    assert [warning.split(":")[0] for warning in prepared.about["warnings"][:1]] == ["SIMULATION"]


def test_preparing_twice_gives_the_same_bytes(phantom: tuple[Path, Prepared, dict[str, Any]], tmp_path: Path) -> None:
    raw, prepared, _ = phantom
    outs = outs_in(tmp_path)
    prepare(raw, phantom_data(), 1, outs)
    assert sha256_of_folder(outs.prepared) == sha256_of_folder(prepared.folder)
    assert outs.duplicates.read_bytes() == (raw.parent / "duplicates.png").read_bytes()


def test_exact_duplicates_join_their_groups_and_stand_in_one_split(tmp_path: Path) -> None:
    names = [f"{'ab'[patient % 2]}/patient{patient:02}_{frame}.png" for patient in range(24) for frame in range(2)]
    raw = write_images(tmp_path / "raw", *names)
    for patient, copy_of in ((6, 2), (10, 2), (21, 10)):  # all of them by a chain: 6 and 10 copy 2, and 21 copies 10
        source = raw / f"{'ab'[copy_of % 2]}/patient{copy_of:02}_1.png"
        with Image.open(source) as image:
            image.save(raw / f"{'ab'[patient % 2]}/patient{patient:02}_0.bmp")
    prepared, audit = prepared_from(raw, data_of(layout="class_folders", split={"method": "random"}))
    table = prepared.table
    joined = table[table["group"] == "patient02"]
    assert set(joined["path"].str.extract(r"/(patient\d+)_", expand=False)) == {
        "patient02",
        "patient06",
        "patient10",
        "patient21",
    }
    assert table.groupby("group")["split"].nunique().max() == 1
    assert (audit["group_keys"], audit["groups"]) == (24, 24 - 3)
    in_one_class, in_two = (
        ["a/patient02_1.png", "a/patient06_0.bmp", "a/patient10_0.bmp"],
        ["a/patient10_1.png", "b/patient21_0.bmp"],
    )
    assert audit["exact_duplicates"] == {
        "sets": 2,
        "sets_across_splits": 0,
        "contradictory_sets": 1,
        "files_too_many": 3,
        "contradictory": [in_two],
        "paths": [in_one_class, in_two],
    }


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
        np.testing.assert_array_equal(prepared.images[row, ..., 0], decode(leaking / path, 16, "stretch").pixels)


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


def test_a_set_without_a_group_key_is_marked(tmp_path: Path) -> None:
    prepared, _ = prepared_from(write_images(tmp_path / "raw", *SPLIT_SET), data_of(group=None))
    assert prepared.about["warnings"][0].startswith("NO GROUP KEY: ")
    assert prepared.about["grouped"] is False


def test_folds_stand_in_the_table_and_the_description(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET)
    prepared, audit = prepared_from(raw, data_of(split={"method": "kfold", "folds": 4}))
    assert set(prepared.table["fold"]) == {0, 1, 2, 3}
    assert prepared.table.groupby("group")["fold"].nunique().max() == 1
    assert prepared.folds == audit["folds"] == 4


def test_unreadable_images_are_all_listed_and_the_set_that_was_there_stays(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET)
    prepared, _ = prepared_from(raw, data_of())
    before = sha256_of_folder(prepared.folder)
    for name in (SPLIT_SET[0], SPLIT_SET[-1]):
        (raw / name).write_bytes(b"no image")
    with pytest.raises(UserError) as raised:
        prepared_from(raw, data_of())
    assert {problem.split(":")[0] for problem in raised.value.problems} == {SPLIT_SET[0], SPLIT_SET[-1]}
    assert sha256_of_folder(prepared.folder) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "audit.json",
        "audit.md",
        "duplicates.png",
        "prepared",
        "raw",
    ]


def test_a_class_that_only_tests_is_an_error(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET, "test/mass/patient90_0.png")
    with pytest.raises(UserError, match=r"data\.split: class 'mass' has no training image"):
        prepared_from(raw, data_of())


def test_a_class_that_dropping_leaves_no_image_of_is_an_error(tmp_path: Path) -> None:
    leaking = ["train/mass/patient90_0.png", "test/normal/patient90_1.png"]
    raw = write_images(tmp_path / "raw", *SPLIT_SET, *leaking)
    with pytest.raises(UserError, match=r"data\.split: class 'mass' has no training image"):
        prepared_from(raw, data_of(leakage="drop"))


def test_masks_are_packed_beside_their_images_and_follow_them_when_rows_are_dropped(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET, "test/cyst/patient01_9.png")
    (raw / "test/normal").mkdir(exist_ok=True)
    kept = sorted([*SPLIT_SET, "test/cyst/patient01_9.png"])
    for number, name in enumerate(kept):
        mask = np.zeros((20, 24), np.uint8)
        mask[:, : 3 + number % 16] = 255
        path = raw / "masks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)
    masks = {"folder": "masks", "spacing": 0.5}
    prepared, audit = prepared_from(raw, data_of(masks=masks, leakage="drop", split={"method": "published"}))
    assert audit["left_out"] == 2  # patient01 in train
    assert prepared.masks is not None
    assert prepared.masks.shape == (len(prepared.table), 16, 16)
    assert prepared.mask_classes == ["foreground"]
    assert prepared.unit == audit["masks"]["unit"] == "mm"
    for path, mask in zip(prepared.table["path"], prepared.masks, strict=True):
        assert abs(mask.mean() * 24 - (3 + kept.index(path) % 16)) <= 0.75  # half a packed pixel
    assert set(prepared.table["pixel_height"]) == {20 / 16 * 0.5}
    assert set(prepared.table["pixel_width"]) == {24 / 16 * 0.5}
    assert prepared.about["masks"]["sha256"] == sha256_of_file(prepared.folder / "masks.npy")


def test_a_simulated_set_has_its_lesions_as_masks_and_their_area_in_mm(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    write_phantom(raw, patients=20, frames=1, size=64, difficulty=0.0, split_by="patient", seed=1)
    spacing = {"file": "anatomy.csv", "image": "filename", "column": "pixel_spacing_mm"}
    prepared, audit = prepared_from(raw, phantom_data(masks={"folder": "masks", "spacing": spacing}))
    truth = pd.read_csv(raw / "anatomy.csv").set_index("filename")
    truth = truth.loc[[path.rsplit("/", 1)[1] for path in prepared.table["path"]]]
    assert prepared.masks is not None
    pixel = prepared.table["pixel_height"] * prepared.table["pixel_width"]
    areas = prepared.masks.sum(axis=(1, 2)) * pixel.to_numpy()
    np.testing.assert_allclose(areas.sum(), truth["lesion_area_mm2"].sum(), rtol=0.05)
    assert audit["masks"]["empty"] == (truth["class"] == "normal").sum()


def test_a_set_for_segmentation_needs_no_classes(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *(f"images/{number}.png" for number in range(12)))
    for number in range(10):
        write_mask = Image.fromarray(np.full((20, 24), 255 * (number % 2), np.uint8))
        (raw / "truth").mkdir(exist_ok=True)
        write_mask.save(raw / f"truth/{number}_mask.png")
    data = data_of(layout="auto", masks="auto", group=None, split={"method": "random"})
    with pytest.raises(UserError, match=r"data\.masks: 2 of 12 images have no mask"):
        prepare(raw, data, 1, outs_in(tmp_path), task="segmentation")
    dropping = data.model_copy(update={"masks": data.masks.model_copy(update={"missing": "drop"})})  # type: ignore[union-attr]
    audit = prepare(raw, dropping, 1, outs_in(tmp_path), task="segmentation")
    prepared = Prepared(tmp_path / "prepared")
    assert (audit["layout"], audit["images"], audit["masks"]["empty"]) == ("images", 10, 5)
    assert prepared.task == "segmentation"
