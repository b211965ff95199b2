"""One CSV of labels and a folder of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medtransfer.data.layouts.read import read_layout
from medtransfer.study import Layout
from medtransfer.util.errors import UserError

KIND: dict[str, Any] = {"kind": "label_csv", "file": "labels.csv", "image": "name", "label": "plane"}


@pytest.mark.parametrize("name", ["images/p1_a.png", "images/p1_a", "p1_a.png", "p1_a"])
def test_an_image_is_named_by_path_or_bare_name_with_or_without_extension(write_set, rows_of, name: str) -> None:
    root = write_set("images/p1_a.png images/p2.v2.jpg", {"labels.csv": f"name,plane\n{name},brain\np2.v2,femur\n"})
    assert rows_of(root, **KIND) == [("images/p1_a.png", "brain", None), ("images/p2.v2.jpg", "femur", None)]


def test_names_are_below_the_folder_of_images(write_set, rows_of) -> None:
    files = {"labels.csv": "name,plane\na,brain\nx/b,femur\n"}
    root = write_set("scans/a.png scans/x/b.png thumbnails/a.png", files)
    assert [path for path, _, _ in rows_of(root, **KIND, images="scans")] == ["scans/a.png", "scans/x/b.png"]


def test_spaces_around_columns_and_values_do_not_matter(write_set, rows_of) -> None:
    root = write_set("a.png b.png", {"labels.csv": " name , plane , part \na.png , brain , Train \nb , femur,TEST\n"})
    rows = rows_of(root, **KIND, split="part")
    assert rows == [("a.png", "brain", "train"), ("b.png", "femur", "test")]


def test_labels_and_names_stay_text(write_set, rows_of) -> None:
    root = write_set("001.png 1.png", {"labels.csv": "name,plane\n001,01\n1,NA\n"})
    assert rows_of(root, **KIND) == [("001.png", "01", None), ("1.png", "NA", None)]


def test_further_columns_are_kept_for_groups(write_set) -> None:
    root = write_set("a.png b.png", {"labels.csv": "name,patient,plane,path\na,007,brain,x\nb,8,femur,y\n"})
    table = read_layout(root, Layout(**KIND))
    assert list(table["patient"]) == ["007", "8"]
    assert list(table["path"]) == ["a.png", "b.png"]


def test_a_path_wins_over_the_same_bare_name_elsewhere(write_set, rows_of) -> None:
    root = write_set("a.png x/a.png", {"labels.csv": "name,plane\na.png,brain\nx/a.png,femur\n"})
    assert rows_of(root, **KIND) == [("a.png", "brain", None), ("x/a.png", "femur", None)]


def test_an_ambiguous_bare_name_is_the_only_error(write_set, problems_of) -> None:
    root = write_set("x/a.png y/a.jpg b.png", {"labels.csv": "name,plane\na,brain\nb,femur\n"})
    assert problems_of(root, **KIND) == ["labels.csv: a: several images have that name; use paths"]


def test_all_problems_are_listed_at_once(write_set, problems_of) -> None:
    rows = "name,plane,part\na,brain,train\na.png,femur,train\nb,,train\nc,femur,tests\nmissing,femur,val\n,femur,val\n"
    root = write_set("a.png b.png c.png d.png", {"labels.csv": rows})
    assert problems_of(root, **KIND, split="part") == [
        "labels.csv: missing: no such image",
        "labels.csv: (empty name): no such image",
        "labels.csv: 'tests': is not a split; expected train, val, test",
        "labels.csv: a.png: is in more than one row, with other values; to leave it out: data.files: "
        '{exclude: ["a.png"]}',
        "d.png: has no row in labels.csv",
    ]


def test_rows_that_are_cut_short_have_no_label(write_set, problems_of) -> None:
    root = write_set("a.png b.png c.png", {"labels.csv": "name,plane\na,brain\nb\nc,spine\n"})
    assert problems_of(root, **KIND) == [
        'RAW: 1 image has no label, such as b.png; to leave them out: data.labels: {drop: [""]}'
    ]


def test_one_label_is_too_few(write_set, problems_of) -> None:
    root = write_set("a.png b.png", {"labels.csv": "name,plane\na,brain\nb,brain\n"})
    assert problems_of(root, **KIND) == ["RAW: expected two or more classes, but got only 'brain'"]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"file": "label.csv"}, "data.layout.file: label.csv is not in the set; did you mean 'labels.csv'?"),
        ({"image": "nmae"}, "data.layout.image: labels.csv has no column 'nmae'; did you mean 'name'?"),
        ({"label": "x"}, "data.layout.label: labels.csv has no column 'x'; choose from name, plane"),
        ({"split": "part"}, "data.layout.split: labels.csv has no column 'part'; choose from name, plane"),
        ({"images": "scans"}, "data.layout.images: scans is not a folder of the set"),
    ],
)
def test_a_layout_that_does_not_fit_the_set_names_its_key(write_set, problems_of, change: Any, line: str) -> None:
    root = write_set("a.png b.png", {"labels.csv": "name,plane\na,brain\nb,femur\n"})
    assert problems_of(root, **(KIND | change)) == [line]


@pytest.mark.parametrize("content", [b"", b"name,plane\na,\x81\n", b'name,plane\n"a,brain\nb,femur\nc,c,c\n'])
def test_a_file_that_is_not_a_csv_is_an_error_of_one_line(write_set, problems_of, content: bytes) -> None:
    root = write_set("a.png b.png", {"labels.csv": ""})
    (root / "labels.csv").write_bytes(content)
    (problem,) = problems_of(root, **KIND)
    assert problem.startswith("labels.csv: not a CSV table: ")
    assert "\n" not in problem


def test_a_table_without_rows_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("image,label\n", encoding="utf-8")
    layout = Layout(kind="label_csv", file="labels.csv", image="image", label="label")
    with pytest.raises(UserError, match=r"labels\.csv: a table without rows; expected one row for each image"):
        read_layout(tmp_path, layout)
