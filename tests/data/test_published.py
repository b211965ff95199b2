"""Published splits from columns and lists."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtransfer.data.layouts.read import Rows
from medtransfer.data.published import propose_split, published_split
from medtransfer.study import Layout, Split
from medtransfer.util.errors import UserError

PATHS = ["set/a/1.png", "set/a/2.png", "set/b/3.png", "set/b/4.png"]


def split_of(
    root: Path, columns: dict[str, list[str]] | None = None, differing: dict[str, str] | None = None, **split: object
) -> list[object]:
    table = pd.DataFrame({"path": PATHS, "label": "x", "split": ["train", "test", "val", None]} | (columns or {}))
    found, _ = published_split(root, "set", Rows(table, [], differing or {}), Split(method="published", **split))
    return [None if pd.isna(each) else each for each in found]


def problem_of(
    root: Path, columns: dict[str, list[str]] | None = None, differing: dict[str, str] | None = None, **split: object
) -> str:
    with pytest.raises(UserError) as raised:
        split_of(root, columns, differing, **split)
    return raised.value.problems[0]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "set").mkdir()
    for name, text in {
        "train.txt": "\ufeffa/1.png\r\n\r\nb/3.png\r\n",
        "test.txt": "2\n",
        "val.csv": 'class,"file"\nx,"4.png"\n',
        "covidx.txt": "9 1.png pos RSNA\n9 3.png neg RSNA\n",
        "foreign.txt": "/kaggle/input/set/a/1.png\n/kaggle/input/set/a/2.png\n",
        "none.txt": "x.png\n",
        "empty.txt": "",
        "../above.txt": "1.png\n",
    }.items():
        (tmp_path / "set" / name).write_text(text, encoding="utf-8", newline="")
    return tmp_path


def test_without_a_source_the_layout_publishes_the_split(root: Path) -> None:
    assert split_of(root) == ["train", "test", "val", None]


@pytest.mark.parametrize(
    ("lists", "wanted"),
    [
        ({"train": "train.txt", "test": "test.txt", "val": "val.csv"}, ["train", "test", "train", "val"]),
        ({"train": "train.txt", "test": "rest"}, ["train", "test", "train", "test"]),
        ({"train": "covidx.txt", "test": ["test.txt", "val.csv"]}, ["train", "test", "train", "test"]),
        ({"test": "foreign.txt", "train": "rest"}, ["test", "test", "train", "train"]),
        ({"test": "test.txt"}, [None, "test", None, None]),
        ({"test": "above.txt", "train": "rest"}, ["test", "train", "train", "train"]),
    ],
)
def test_lists_name_the_images_of_splits(root: Path, lists: dict[str, object], wanted: list[object]) -> None:
    assert split_of(root, lists=lists) == wanted


@pytest.mark.parametrize(
    ("lists", "problem"),
    [
        ({"test": "no.txt"}, "data.split.lists.test: no.txt is not a file of the set"),
        ({"test": "none.txt"}, "data.split.lists.test: none.txt names none of the 4 images, such as set/a/1.png"),
        ({"test": "empty.txt"}, "data.split.lists.test: empty.txt names none of the 4 images"),
        (
            {"train": "train.txt", "test": "foreign.txt"},
            "data.split.lists: 1 image in train and test, such as set/a/1.png",
        ),
    ],
)
def test_lists_that_do_not_fit_are_errors(root: Path, lists: dict[str, object], problem: str) -> None:
    assert problem_of(root, lists=lists).startswith(problem)


def test_a_name_of_several_images_is_an_error_even_if_the_rest_is_assigned(tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("1.png\n2.png\n", encoding="utf-8")
    table = pd.DataFrame({"path": ["a/1.png", "b/1.png", "b/2.png"], "label": "x", "split": None})
    split = Split(method="published", lists={"test": "test.txt", "train": "rest"})
    with pytest.raises(UserError, match=r"^data\.split\.lists\.test: test\.txt: .*images have that name; use paths"):
        published_split(tmp_path, ".", Rows(table, [], {}), split)


def test_names_that_are_not_in_the_set_are_a_warning(tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("file\n1.png\n2.jpg\n3.jpg\n", encoding="utf-8")
    table = pd.DataFrame({"path": ["a/1.png", "b/4.png"], "label": "x", "split": None})
    split = Split(method="published", lists={"test": "test.txt", "train": "rest"})
    found, (warning,) = published_split(tmp_path, ".", Rows(table, [], {}), split)
    assert list(found) == ["test", "train"]
    assert warning.startswith("SPLIT LISTS: 3 of 4 names in test.txt are not images of the set")


def test_a_column_holds_the_split(root: Path) -> None:
    columns = {"usage": ["Training", "test ", "valid", ""]}
    assert split_of(root, columns, column="usage") == ["train", "test", "val", None]


def test_the_values_of_a_column_are_asked_for_and_then_used(root: Path) -> None:
    columns = {"fold": ["0", "1", "2", "2"]}
    assert problem_of(root, columns, column="fold") == (
        "data.split: column 'fold' holds '0', '1' and '2'; say for each whether it is train, val or test: "
        'data.split.values: {"0": …, "1": …, "2": …}'
    )
    values = {"0": "test", "1": "val", "2": "train"}
    assert split_of(root, columns, column="fold", values=values) == ["test", "val", "train", "train"]
    mixed = {"fold": ["Training", "PublicTest", "PrivateTest", "Training"]}
    named = {"PublicTest": "val", "PrivateTest": "test"}
    assert split_of(root, mixed, column="fold", values=named) == ["train", "val", "test", "train"]
    assert problem_of(root, columns, column="fold", values=values | {"3": "train"}) == (
        "data.split.values: '3' is not in column 'fold'"
    )


def test_folders_hold_the_split(root: Path) -> None:
    assert split_of(root, folder=2, values={"a": "train", "b": "test"}) == ["train", "train", "test", "test"]
    assert split_of(root, folder=-1, values={"a": "val", "b": "test"}) == ["val", "val", "test", "test"]
    assert problem_of(root, folder=2) == (
        "data.split: folder 2 holds 'a' and 'b'; say for each whether it is train, val or test: "
        "data.split.values: {a: …, b: …}"
    )
    assert problem_of(root, folder=3).startswith("data.split.folder: no folder 3 above 4 images, such as set/a/1.png;")


def test_a_column_that_is_not_there_or_not_clear_is_an_error(root: Path) -> None:
    assert problem_of(root, {"usage": ["test"] * 4}, column="usgae").startswith(
        "data.split.column: no 'usgae'; did you mean 'usage'?"
    )
    reason = "data.tables: Folds.csv: 4 keys …"
    assert problem_of(root, {}, {"part": reason}, column="part") == f"data.split.column: {reason}"


def test_a_joined_column_named_split_is_found(root: Path) -> None:
    assert split_of(root, {"meta.split": ["test", "train", "train", "train"]}, column="split") == [
        "test", "train", "train", "train"
    ]  # fmt: skip


@given(st.lists(st.sampled_from(["train", "val", "test"]), min_size=4, max_size=4))
def test_lists_give_back_the_split_that_they_were_written_from(
    tmp_path_factory: pytest.TempPathFactory, splits: list[str]
) -> None:
    root = tmp_path_factory.getbasetemp() / "lists"
    (root / "set").mkdir(parents=True, exist_ok=True)
    for name in set(splits):
        inside = [path.removeprefix("set/") for path, split in zip(PATHS, splits, strict=True) if split == name]
        (root / "set" / f"{name}.txt").write_text("\n".join(inside), encoding="utf-8")
    assert split_of(root, lists={name: f"{name}.txt" for name in set(splits)}) == splits


@pytest.mark.parametrize(
    ("files", "proposed"),
    [
        (
            {"train.txt": "a1.png\na2.png\n", "test_list.txt": "b1.png\nb2.png\n"},
            "test_list.txt (2) and train.txt (2) list images of a published split; to use it: data.split: {method: "
            "published, lists: {test: test_list.txt, train: train.txt}}",
        ),
        ({"test.csv": "name\nx/a1.png\n"}, "lists: {test: test.csv, train: rest}}"),
        ({"train.txt": "a1\na2\n", "val.txt": "b1\nb2\n"}, "lists: {train: train.txt, test: val.txt}}"),
        ({"train_ids.txt": "a\n", "test_ids.txt": "b\n"}, "lists: {test: test_ids.txt, train: train_ids.txt}}"),
        (
            {"folds.csv": "file,set\na1.png,train\na2.png,train\nb1.png,test\nb2.png,valid\n"},
            "column 'set' of folds.csv holds a published split (test 1, train 2, valid 1); to use it: data.tables: "
            "[{file: folds.csv, key: file}] and data.split: {method: published, column: set}",
        ),
        ({"train.txt": "a1.png\nb1.png\n", "val.txt": "a1.png\n"}, None),
        ({"train.txt": "nothing\nof this\nset\n"}, None),
    ],
)
def test_files_that_hold_a_split_are_proposed(tmp_path: Path, files: dict[str, str], proposed: str | None) -> None:
    names = ["x/a1.png", "x/a2.png", "y/b1.png", "y/b2.png"]
    names = [name.replace("/a", "/a_").replace("/b", "/b_") for name in names] if "train_ids.txt" in files else names
    for name, content in (dict.fromkeys(names, "") | files).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    table = pd.DataFrame({"path": names, "label": ["x", "x", "y", "y"], "split": None})
    found = propose_split(tmp_path, Layout(kind="class_folders"), table)
    assert found[0].endswith(proposed) if proposed else found == []
