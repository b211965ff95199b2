"""Further tables of a set, joined with the rows of images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.joins import join_images
from medtransfer.data.layouts.read import Given, Rows, read_rows
from medtransfer.study import JoinedTable, Layout
from medtransfer.util.errors import UserError

WriteSet = Callable[..., Path]
IMAGES = "images/a1.png images/a2.png images/b1.png"
FILES = {
    "labels.csv": "id,dx\n1,mel\n2,nv\n3,mel\n",
    "names.csv": "number,file\n1,a1.png\n2,a2.png\n3,b1.png\n",
    "meta.csv": "image,patient,site\na1,p1,head\na2,p1,arm\nb1,p2,\n",
    "patients.csv": "patient,age\np1,40\np2,60\np3,70\n",
}


def joined(folder: Path, /, *tables: dict[str, Any], **layout: Any) -> Rows:
    given = Given(tables=tuple(JoinedTable(**table) for table in tables))
    return read_rows(folder, Layout(**layout), given)


def test_labels_and_names_of_files_may_be_in_different_tables(write_set: WriteSet) -> None:
    root = write_set(IMAGES, FILES)
    names = {"file": "names.csv", "key": "number", "on": "id"}
    rows = joined(root, names, kind="label_csv", file="labels.csv", image="file", label="dx").table
    assert list(zip(rows["path"], rows["label"], strict=True)) == [
        ("images/a1.png", "mel"),
        ("images/a2.png", "nv"),
        ("images/b1.png", "mel"),
    ]
    labels = {"file": "labels.csv", "key": "id", "on": "number"}
    other = joined(root, labels, kind="label_csv", file="names.csv", image="file", label="dx").table
    assert other[["path", "label"]].equals(rows[["path", "label"]])


def test_tables_join_by_images_and_by_columns_of_earlier_tables(write_set: WriteSet) -> None:
    root = write_set("mel/a1.png mel/a2.png nv/b1.png", {name: FILES[name] for name in ("meta.csv", "patients.csv")})
    meta, patients = {"file": "meta.csv", "key": "image"}, {"file": "patients.csv", "key": "patient", "on": "patient"}
    table = joined(root, meta, patients, kind="class_folders").table
    assert table[["patient", "site", "age"]].to_numpy().tolist() == [
        ["p1", "head", "40"],
        ["p1", "arm", "40"],
        ["p2", "", "60"],
    ]


def test_joined_tables_are_no_labels_for_auto(write_set: WriteSet) -> None:
    root = write_set("mel/a1.png mel/a2.png nv/b1.png", {"meta.csv": "image,diagnosis\na1,x\na2,y\nb1,x\n"})
    with pytest.raises(UserError, match="the set can be read in 2 ways"):
        resolve_layout(root, Layout(kind="auto"))
    given = Given(tables=(JoinedTable(file="meta.csv", key="image"),))
    assert resolve_layout(root, Layout(kind="auto"), given).kind == "class_folders"


def test_a_table_may_be_outside_of_the_root_of_the_layout(write_set: WriteSet) -> None:
    root = write_set("deep/mel/a1.png deep/mel/a2.png deep/nv/b1.png", {"tables/meta.csv": FILES["meta.csv"]})
    meta = {"file": "tables/meta.csv", "key": "image"}
    assert list(joined(root, meta, kind="class_folders", root="deep").table["patient"]) == ["p1", "p1", "p2"]
    given = Given(tables=(JoinedTable(**meta),))
    assert resolve_layout(root, Layout(kind="auto"), given) == Layout(kind="class_folders", root="deep")


FOLDS = "file,fold,part,zoom\n" + "".join(
    f"{name}.png,{fold},{'test' if name[1] == str(fold) else 'train'},40X\n"
    for fold in (1, 2)
    for name in ("a1", "a2", "b1")
)


def test_rows_of_one_key_that_differ_are_selected_by_where(write_set: WriteSet) -> None:
    root = write_set("mel/a1.png mel/a2.png nv/b1.png", {"Folds.csv": FOLDS})
    whole = {"file": "Folds.csv", "key": "file"}
    rows = joined(root, whole, kind="class_folders")
    assert list(rows.table["zoom"]) == ["40X"] * 3
    assert "part" not in rows.table
    assert rows.differing["part"] == (
        "data.tables: Folds.csv: 3 keys such as mel/a1.png have rows that differ in column 'part'; "
        "select one of them with where: {COLUMN: VALUE}"
    )
    selected = joined(root, whole | {"where": {"fold": "2"}}, kind="class_folders")
    assert selected.differing == {}
    assert list(selected.table["part"]) == ["train", "test", "train"]


def test_a_column_whose_name_is_taken_goes_by_the_name_of_its_table(write_set: WriteSet) -> None:
    root = write_set(IMAGES, FILES | {"more.csv": "image,patient,label\na1,q1,x\na2,q2,y\nb1,q3,z\n"})
    rows = joined(
        root, {"file": "more.csv", "key": "image"}, kind="label_csv", file="meta.csv", image="image", label="patient"
    ).table
    assert list(rows["patient"]) == ["p1", "p1", "p2"]
    assert list(rows["more.patient"]) == ["q1", "q2", "q3"]
    assert list(rows["label"]) == ["p1", "p1", "p2"]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"file": "meta.cvs", "key": "image"}, "data.tables: meta.cvs: not a readable table"),
        ({"file": "meta.csv", "key": "imgae"}, "data.tables: meta.csv: no column 'imgae'; did you mean 'image'?"),
        (
            {"file": "patients.csv", "key": "patient"},
            "data.tables: patients.csv: column 'patient' names none of the images",
        ),
        ({"file": "meta.csv", "key": "image", "on": "id"}, "data.tables: meta.csv: on: no column 'id'"),
        (
            {"file": "meta.csv", "key": "image", "where": {"site": "leg"}},
            "data.tables: meta.csv: where: no leg in column 'site'",
        ),
    ],
)
def test_tables_that_do_not_fit_are_errors(write_set: WriteSet, table: dict[str, Any], problem: str) -> None:
    root = write_set("mel/a1.png mel/a2.png nv/b1.png", {name: FILES[name] for name in ("meta.csv", "patients.csv")})
    with pytest.raises(UserError) as raised:
        joined(root, table, kind="class_folders")
    assert raised.value.problems[0].startswith(problem)


@given(st.dictionaries(st.integers(0, 9), st.sampled_from("xyz"), min_size=1), st.randoms())
def test_a_join_looks_every_image_up(
    tmp_path_factory: pytest.TempPathFactory, cells: dict[int, str], random: Any
) -> None:
    root = tmp_path_factory.getbasetemp() / "joins"
    root.mkdir(exist_ok=True)
    lines = [f"i{number}.png,{value}" for number, value in cells.items()]
    random.shuffle(lines)
    (root / "t.csv").write_text("\n".join(["name,value", *lines, *lines[:2]]), encoding="utf-8")
    rows = pd.DataFrame({"path": [f"folder/i{number}.png" for number in range(10)], "label": "a", "split": None})
    table, differing, problems = join_images([root], rows, [JoinedTable(file="t.csv", key="name")])
    assert (differing, problems) == ({}, [])
    assert list(table["value"]) == [cells.get(number, "") for number in range(10)]
