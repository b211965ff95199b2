"""From a published set to the prepared one: the written files and the errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_study import LINE, params_with

from fetal_phantom import write_phantom
from medtransfer.data.images.decode import decode
from medtransfer.data.prepare import COLUMNS, prepare
from medtransfer.data.prepared import Prepared
from medtransfer.study import check_study
from medtransfer.util.errors import UserError
from medtransfer.util.files import sha256_of_file, sha256_of_folder
from medtransfer.util.places import Places

from .sets import SPLIT_SET, data_of, phantom_data, prepared_from, write_images


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Prepared, dict[str, Any]]:
    """Return a tiny simulated set, raw and prepared, and its audit."""
    raw = tmp_path_factory.mktemp("phantom") / "raw"
    write_phantom(raw, patients=40, frames=2, size=40, difficulty=0.0, split_by="patient", seed=1)
    return raw, *prepared_from(raw, phantom_data())


def test_the_table_equals_the_truth_of_the_simulation(phantom: tuple[Path, Prepared, dict[str, Any]]) -> None:
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
    for row, path in enumerate(prepared.table["path"]):
        found = decode(raw / path, 32, "stretch")
        np.testing.assert_array_equal(prepared.images[row][..., 0], found.pixels)
        assert prepared.table["sha256"].iloc[row] == found.sha256


def test_the_description_has_the_hashes_of_the_files(phantom: tuple[Path, Prepared, dict[str, Any]]) -> None:
    _, prepared, _ = phantom
    assert prepared.about["pixels_sha256"] == sha256_of_file(prepared.folder / "images.npy")
    assert prepared.about["table_sha256"] == sha256_of_file(prepared.folder / "table.parquet")
    assert prepared.folds == 1
    assert sorted(path.name for path in prepared.folder.iterdir()) == ["dataset.json", "images.npy", "table.parquet"]
    assert [warning.split(":")[0] for warning in prepared.about["warnings"][:1]] == ["SIMULATION"]


def test_preparing_twice_gives_the_same_bytes(phantom: tuple[Path, Prepared, dict[str, Any]], tmp_path: Path) -> None:
    raw, prepared, _ = phantom
    places = Places(tmp_path)
    prepare(raw, phantom_data(), 1, places)
    assert sha256_of_folder(places.prepared) == sha256_of_folder(prepared.folder)
    assert places.duplicates.read_bytes() == Places(raw.parent).duplicates.read_bytes()


def test_exact_duplicates_join_their_groups_and_are_in_one_split(tmp_path: Path) -> None:
    names = [f"{'ab'[patient % 2]}/patient{patient:02}_{frame}.png" for patient in range(24) for frame in range(2)]
    raw = write_images(tmp_path / "raw", *names)
    for patient, copy_of in ((6, 2), (10, 2), (21, 10)):  # all of them by a chain: 6 and 10 copy 2, and 21 copies 10
        source = raw / f"{'ab'[copy_of % 2]}/patient{copy_of:02}_1.png"
        with Image.open(source) as image:
            image.save(raw / f"{'ab'[patient % 2]}/patient{patient:02}_0.bmp")
    prepared, audit = prepared_from(raw, data_of(layout="class_folders", split={"method": "random"}))
    table = prepared.table
    joined = table[table["group"] == "patient02"]
    patients = set(joined["path"].str.extract(r"/(patient\d+)_", expand=False))
    assert patients == {"patient02", "patient06", "patient10", "patient21"}
    assert table.groupby("group")["split"].nunique().max() == 1
    assert (audit["group_keys"], audit["groups"]) == (24, 24 - 3)
    in_one_class = ["a/patient02_1.png", "a/patient06_0.bmp", "a/patient10_0.bmp"]
    in_two = ["a/patient10_1.png", "b/patient21_0.bmp"]
    assert audit["exact_duplicates"] == {
        "sets": 2,
        "sets_across_splits": 0,
        "contradictory_sets": 1,
        "files_too_many": 3,
        "contradictory": [in_two],
        "paths": [in_one_class, in_two],
    }


def test_a_set_without_a_group_key_has_a_warning(tmp_path: Path) -> None:
    prepared, _ = prepared_from(write_images(tmp_path / "raw", *SPLIT_SET), data_of(group=None))
    assert prepared.about["warnings"][0].startswith("NO GROUP KEY: ")
    assert prepared.about["grouped"] is False


def test_folds_are_in_the_table_and_the_description(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET)
    prepared, audit = prepared_from(raw, data_of(split={"method": "kfold", "folds": 4}))
    assert set(prepared.table["fold"]) == {0, 1, 2, 3}
    assert prepared.table.groupby("group")["fold"].nunique().max() == 1
    assert prepared.folds == audit["folds"] == 4


def test_all_unreadable_images_are_listed_and_the_earlier_set_is_kept(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET)
    prepared, _ = prepared_from(raw, data_of())
    before = sha256_of_folder(prepared.folder)
    for name in (SPLIT_SET[0], SPLIT_SET[-1]):
        (raw / name).write_bytes(b"no image")
    with pytest.raises(UserError) as raised:
        prepared_from(raw, data_of())
    *problems, remedy = raised.value.problems
    assert {problem.split(":")[0] for problem in problems} == {SPLIT_SET[0], SPLIT_SET[-1]}
    assert remedy == f"set data.unreadable: drop to leave them out: 2 of {len(SPLIT_SET)} images"
    assert sha256_of_folder(prepared.folder) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "metrics", "plots", "raw"]
    assert sorted(path.name for path in prepared.folder.parent.iterdir()) == ["columns.parquet", "prepared"]


def test_the_positive_class_is_the_second_whatever_the_alphabet(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET)
    usual, _ = prepared_from(raw, data_of())
    first, second = usual.classes
    numbers = usual.table["label_index"].to_numpy()
    chosen, _ = prepared_from(raw, data_of(labels={"positive": first}))
    assert chosen.classes == [second, first]
    assert (chosen.table["label_index"].to_numpy() == 1 - numbers).all()
    with pytest.raises(UserError, match=f"'{first}s' is not one of two classes; found {first}, {second}"):
        prepared_from(raw, data_of(labels={"positive": f"{first}s"}))


def test_an_unused_published_split_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET)
    prepared_from(raw, data_of())
    assert "unused   " not in capsys.readouterr().out
    prepared_from(raw, data_of(split={"method": "random", "test": 0.25, "validation": 0.25}))
    assert "unused   the published split: data.split.method is random" in capsys.readouterr().out


def test_a_test_set_of_one_class_is_an_error(tmp_path: Path) -> None:
    images = [name for name in SPLIT_SET if not name.startswith("test/")]
    raw = write_images(tmp_path / "raw", *images, "test/normal/patient90_0.png", "test/normal/patient91_0.png")
    with pytest.raises(
        UserError, match=r"^data\.split: all 2 test images are of class 'normal', so no classes can be told apart"
    ):
        prepared_from(raw, data_of())


def test_a_class_that_only_tests_is_an_error(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET, "test/mass/patient90_0.png")
    with pytest.raises(
        UserError, match=r"1 class of 3 in one published split only \(mass in test\); to leave them out"
    ):
        prepared_from(raw, data_of())
    with pytest.raises(UserError, match=r"data\.split: class 'mass' has no training image"):
        prepared_from(raw, data_of(labels={"aliases": {"mass": "mass"}}))


def test_what_does_not_fit_the_classes_of_the_set_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *(f"{name}/{number}.png" for name in "ab" for number in range(20)))
    data, places = data_of(layout="class_folders", group=None, split={"method": "random"}), Places(tmp_path / "out")
    line = {"head": "prompts", "train": "none"}
    prompts = {"templates": ["{}"], "classes": {"a": ["one"], "c": ["three"]}}
    study = check_study(params_with({"variants.head_only": LINE | line | {"prompts": prompts}}), "params.yaml")
    with pytest.raises(UserError) as error:
        prepare(raw, data, 1, places, further=study.prompt_problems)
    assert error.value.problems == [
        "variants.head_only: prompts.classes: no words for b; add them",
        "variants.head_only: prompts.classes: the set has no class c; omit it",
    ]
    assert not places.prepared.exists()


def test_images_with_two_labels_are_a_warning_of_every_table(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET)
    names = [name for name in SPLIT_SET if name.startswith("train/")]
    cyst, normal = (next(name for name in names if label in name) for label in ("/cyst/", "/normal/"))
    (raw / cyst).write_bytes((raw / normal).read_bytes())
    prepared, _ = prepared_from(raw, data_of(leakage="report"))
    assert prepared.about["warnings"][0] == (
        f"CONTRADICTORY LABELS: 1 image with several labels, in 2 of {len(SPLIT_SET)} files, "
        f"such as {cyst} and {normal}"
    )


def test_classes_are_in_the_order_that_the_study_gives(tmp_path: Path) -> None:
    names = [f"{grade}/{number}.png" for grade in ("mild", "none", "severe") for number in range(6)]
    raw = write_images(tmp_path / "raw", *names)
    order = ["none", "mild", "severe"]
    settings = {"layout": "class_folders", "group": None, "split": {"method": "random"}}
    prepared, _ = prepared_from(raw, data_of(**settings, order=order))
    assert prepared.classes == order
    assert [order[number] for number in prepared.table["label_index"]] == prepared.table["label"].tolist()
    for wrong, problem in (
        (["none", "mild"], "data.order: it lacks the class 'severe'; found mild, none, severe"),
        ([*order, "worst"], "data.order: no image is of the class 'worst'; found mild, none, severe"),
    ):
        with pytest.raises(UserError) as raised:
            prepared_from(raw, data_of(**settings, order=wrong))
        assert raised.value.problems == [problem]


def test_the_order_of_grades_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = write_images(tmp_path / "raw", *(f"{grade}/{number}.png" for grade in (10, 2, 9) for number in range(6)))
    data = data_of(layout="class_folders", group=None, split={"method": "random"})
    prepare(raw, data, 1, Places(tmp_path / "out"), "ordinal", "grades")
    shown = capsys.readouterr().out
    assert "order    2 < 9 < 10" in shown
    assert "their order is not used" not in shown


def test_grades_without_an_order_are_an_error_with_the_line_to_add(tmp_path: Path) -> None:
    names = [f"{grade}/{number}.png" for grade in ("mild", "none", "2 of 3") for number in range(6)]
    raw = write_images(tmp_path / "raw", *names)
    data = data_of(layout="class_folders", group=None, split={"method": "random"})
    with pytest.raises(UserError) as raised:
        prepare(raw, data, 1, Places(tmp_path / "out"), "ordinal", "grades")
    assert raised.value.problems == [
        'data.order: the order of "2 of 3", mild, none is not known; list all of them from the lowest to the highest: '
        "data.order: [LOWEST, …, HIGHEST]"
    ]
