"""Tables whose rows name folders, patients or cases: all their images get the label, or choices are asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.image_tables import image_tables
from medtransfer.data.layouts.keys import images_of_keys
from medtransfer.data.layouts.read import Given, read_rows
from medtransfer.data.proposals import propose_groups
from medtransfer.data.targets import TARGETS
from medtransfer.study import JoinedTable, Layout
from medtransfer.util.errors import UserError

from .detection import AUTO, choices_of, detected, refusal, understood

PATIENTS = ("00000", "00002", "00003", "00005")
SLICES = " ".join(f"train/{patient}/{kind}/Image-{n}.png" for patient in PATIENTS for kind in "ab" for n in "12")
SCANS = " ".join(f"P{patient}/{n}.png" for patient in range(1, 5) for n in (1, 2))
STUDIES = " ".join(f"MURA/train/XR/patient{patient}/study{n}/image1.png" for patient in (1, 2) for n in (1, 2))
CALC = "patient_id,image file path,cropped image file path,pathology\n" + "".join(
    f"P_{n},Calc_P_{n}/1.3.{n}/2.5.{n}/000000.dcm,Calc_P_{n}_1/1.4.{n}/2.6.{n}/000000.dcm,{label}\n"
    for n, label in ((1, "BENIGN"), (2, "MALIGNANT"))
)


def test_images_of_a_folder_have_its_label(write_set) -> None:
    root = write_set(SLICES, {"labels.csv": "BraTS21ID,MGMT\n00000,1\n00002,0\n00003,1\n00005,0\n"})
    assert detected(root) == "{kind: label_csv, file: labels.csv, image: BraTS21ID, label: MGMT}"
    assert {(path[6:11], label) for path, label, _ in understood(root)} == set(zip(PATIENTS, "1010", strict=True))
    assert len(understood(root)) == 16


def test_lost_zeros_and_test_folders_without_rows_change_nothing(write_set) -> None:
    tests = "test/00001/a/Image-1.png test/00004/a/Image-1.png"
    root = write_set(f"{SLICES} {tests}", {"labels.csv": "BraTS21ID,MGMT\n0,1\n2,0\n3,1\n5,0\n"})
    assert detected(root).endswith("label: MGMT, images: train}")
    assert {(path[6:11], label) for path, label, _ in understood(root)} == set(zip(PATIENTS, "1010", strict=True))


def test_names_of_slices_that_are_numbers_of_patients_do_not_mislead(write_set) -> None:
    images = " ".join(f"{patient}/{n}.png" for patient in range(11, 15) for n in range(11, 15))
    root = write_set(images, {"labels.csv": "patient,label\n11,a\n12,b\n13,a\n14,b\n"})
    assert {(path[1], label) for path, label, _ in understood(root)} == set(zip("1234", "abab", strict=True))


def test_studies_are_named_by_their_paths_elsewhere_without_a_header(write_set) -> None:
    rows = "".join(f"MURA-v1/train/XR/patient{p}/study{n}/,{(p + n) % 2}\n" for p in (1, 2) for n in (1, 2))
    root = write_set(STUDIES, {"studies.csv": rows})
    assert [label for _, label, _ in understood(root)] == ["0", "1", "1", "0"]


def test_cases_are_the_beginnings_of_file_names(write_set) -> None:
    images = " ".join(f"i/CASE{n}_{side}_{view}.png" for n in "123" for side in "LR" for view in ("CC", "MLO"))
    root = write_set(images, {"cases.csv": "case_id,pathology\nCASE1,a\nCASE2,b\nCASE3,a\n"})
    assert {(path[:7], label) for path, label, _ in understood(root)} == {
        ("i/CASE1", "a"),
        ("i/CASE2", "b"),
        ("i/CASE3", "a"),
    }
    found = read_rows(root, resolve_layout(root, AUTO), Given())
    assert found.keyed == ["3 in column 'case_id', each of all of its images"]
    assert "column 'case_id' gives 3 groups" in propose_groups(root, found.table)[0]


def test_an_image_that_begins_with_two_keys_belongs_to_none() -> None:
    paths = ["P1_2_a.png", "P3_b.png"]
    assert images_of_keys(paths, paths, ["P1", "P3"]) == [["P1_2_a.png"], ["P3_b.png"]]
    assert images_of_keys(paths, paths, ["P1", "P1_2", "P3"]) == [[], [], []]


def test_folders_of_one_name_in_several_splits_are_not_one_patient() -> None:
    paths = ["train/P1/a.png", "test/P1/a.png", "train/P2/b.png"]
    assert images_of_keys(paths, paths, ["P1", "P2"]) == [[], ["train/P2/b.png"]]


@pytest.mark.parametrize(
    ("rows", "asked"),
    [
        ("P1,a\nP2,b\nP3,a\n", "P4/1.png: has no row in t.csv"),
        ("P1,a\nP2,b\nP3,a\nP4,b\nP5,a\n", "t.csv: P5: no such image"),
    ],
)
def test_patients_without_a_row_or_images_are_asked_about(write_set, rows: str, asked: str) -> None:
    root = write_set(SCANS, {"t.csv": f"patient,diagnosis\n{rows}"})
    assert asked in refusal(root)
    (layout, *_) = choices_of(refusal(root))
    assert layout.missing == "drop"
    assert set(read_rows(root, layout, Given()).table["label"]) == {"a", "b"}


def test_visits_of_a_patient_with_different_labels_are_choices(write_set) -> None:
    rows = "".join(f"P{p},{visit},{'ab'[(p + visit) % 2]}\n" for p in range(1, 5) for visit in (1, 2))
    line = refusal(write_set(SCANS, {"t.csv": f"patient,visit,diagnosis\n{rows}"}))
    assert "is in more than one row, with other values" in line
    assert 'label: diagnosis, where: {visit: "1"}}' in line


def test_classes_by_folders_and_by_patients_are_both_offered(write_set) -> None:
    root = write_set("x/P1/1.png x/P2/1.png y/P3/1.png y/P4/1.png", {"t.csv": "id,diagnosis\nP1,a\nP2,b\nP3,a\nP4,b\n"})
    assert [layout.kind for layout in choices_of(refusal(root))] == ["class_folders", "label_csv"]


def test_a_table_of_dicom_paths_labels_the_one_image_of_each_folder(write_set) -> None:
    images = "jpeg/2.5.1/1-001.jpg jpeg/2.5.2/1-002.jpg jpeg/2.6.1/1-001.jpg jpeg/2.6.1/2-001.jpg"
    root = write_set(images, {"calc_train.csv": CALC})
    layout = Layout(kind="label_csv", file="calc_train.csv", image="image file path", label="pathology", missing="drop")
    found = read_rows(root, layout, Given())
    assert list(found.table["label"]) == ["BENIGN", "MALIGNANT"]
    assert found.without_row == ["jpeg/2.6.1/1-001.jpg", "jpeg/2.6.1/2-001.jpg"]
    assert "jpeg/2.6.1/1-001.jpg: has no row in calc_train.csv" in refusal(root)
    crops = layout.model_copy(update={"image": "cropped image file path"})  # a crop and its mask: which is unknown
    with pytest.raises(UserError, match="no images were found"):
        read_rows(root, crops, Given())


def test_patients_have_numbers_and_columns_of_further_tables(write_set) -> None:
    files = {
        "ages.csv": "patient,age\nP1,40.5\nP2,41\nP3,50\nP4,61\n",
        "more.csv": "case,site\nP1,x\nP2,y\nP3,x\nP4,y\n",
    }
    root = write_set(SCANS, files)
    layout = Layout(kind="label_csv", file="ages.csv", image="patient", label="age")
    given = Given(tables=(JoinedTable(file="more.csv", key="case"),), target=TARGETS["numbers"])
    table = read_rows(root, layout, given).table
    assert list(table["label"].astype(float)) == [40.5, 40.5, 41, 41, 50, 50, 61, 61]
    assert list(table["site"]) == ["x", "x", "y", "y", "x", "x", "y", "y"]
    assert TARGETS["numbers"].readings(root, [Path(name) for name in [*SCANS.split(), "ages.csv"]]) != []


def test_excluded_patients_need_no_images(write_set) -> None:
    root = write_set(SCANS, {"t.csv": "patient,diagnosis\nP1,a\nP2,b\nP3,a\nP4,b\n"})
    layout = Layout(kind="label_csv", file="t.csv", image="patient", label="diagnosis")
    table = read_rows(root, layout, Given(unwanted=frozenset(("P4/1.png", "P4/2.png")))).table
    assert sorted(set(table["path"].str[:2])) == ["P1", "P2", "P3"]


def test_a_table_of_classes_names_no_patients(write_set) -> None:
    root = write_set("cyst/a.png cyst/b.png normal/c.png", {"classes.csv": "name,count\ncyst,2\nnormal,1\n"})
    assert detected(root) == "class_folders"
    assert image_tables(root, [Path("cyst/a.png"), Path("normal/c.png"), Path("classes.csv")])[0].folders
