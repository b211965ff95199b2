"""A folder for each class, with or without splits above them."""

from __future__ import annotations

import pytest

CLASSES, SPLITS = {"kind": "class_folders"}, {"kind": "split_folders"}


def test_the_first_folder_is_the_class(write_set, rows_of) -> None:
    root = write_set("cyst/b.png cyst/patient1/a.PNG normal/c.tif")
    assert rows_of(root, **CLASSES) == [
        ("cyst/b.png", "cyst", None),
        ("cyst/patient1/a.PNG", "cyst", None),
        ("normal/c.tif", "normal", None),
    ]


def test_hidden_files_files_of_the_system_and_other_files_are_ignored(write_set, rows_of) -> None:
    root = write_set(
        "cyst/a.png cyst/._a.png .cache/x/b.png __MACOSX/cyst/a.png normal/c.png normal/Thumbs.db readme.txt"
    )
    assert [path for path, _, _ in rows_of(root, **CLASSES)] == ["cyst/a.png", "normal/c.png"]


def test_an_image_outside_all_classes_and_a_class_without_images_are_listed(write_set, problems_of) -> None:
    root = write_set("b.png cyst/a.png normal/c.png mass/notes.txt a.png")
    assert problems_of(root, **CLASSES) == [
        "a.png: not in a class folder",
        "b.png: not in a class folder",
        "mass: a class folder without images; missing: drop in data.layout ignores it",
    ]


def test_class_folders_without_images_are_ignored_on_request(write_set, rows_of) -> None:
    root = write_set("cyst/a.png normal/b.png", {"mass/notes.txt": ""})
    assert len(rows_of(root, kind="class_folders", missing="drop")) == 2
    root = write_set("train/cyst/a.png train/normal/b.png test/cyst/c.png", {"test/normal/notes.txt": ""})
    assert len(rows_of(root, kind="split_folders", missing="drop", root=".")) == 3


def test_one_class_is_too_few(write_set, problems_of) -> None:
    assert problems_of(write_set("cyst/a.png cyst/b.png"), **CLASSES) == [
        "RAW: expected two or more classes, but got only 'cyst'"
    ]


@pytest.mark.parametrize("kind", ["class_folders", "split_folders"])
def test_an_empty_set_is_an_error(write_set, problems_of, kind: str) -> None:
    (problem,) = problems_of(write_set("", {"readme.txt": "nothing"}), kind=kind)
    assert problem in (
        "RAW: no images were found by layout class_folders",
        "RAW: expected folders named train, val, test; found no folder",
    )


def test_split_folders_contain_class_folders(write_set, rows_of) -> None:
    root = write_set("train/cyst/a.png Valid/normal/p1/b.png TEST/cyst/c.png")
    assert rows_of(root, **SPLITS) == [
        ("TEST/cyst/c.png", "cyst", "test"),
        ("Valid/normal/p1/b.png", "normal", "val"),
        ("train/cyst/a.png", "cyst", "train"),
    ]


def test_problems_of_all_splits_are_listed_by_their_paths(write_set, problems_of) -> None:
    root = write_set("train/cyst/a.png train/b.png test/normal/c.png", {"test/mass/notes.txt": ""})
    assert problems_of(root, **SPLITS) == [
        "test/mass: a class folder without images; missing: drop in data.layout ignores it",
        "train/b.png: not in a class folder",
    ]


def test_classes_may_differ_between_splits(write_set, rows_of) -> None:
    root = write_set("train/cyst/a.png train/mass/b.png test/normal/c.png")
    assert [label for _, label, _ in rows_of(root, **SPLITS)] == ["normal", "cyst", "mass"]


def test_two_folders_of_one_split_are_an_error(write_set, problems_of) -> None:
    root = write_set("train/cyst/a.png val/cyst/b.png valid/normal/c.png test/normal/d.png testing/cyst/e.png")
    assert problems_of(root, **SPLITS) == [
        "RAW: expected one folder of split test, but got test and testing; to leave one out: data.files: "
        '{exclude: ["*test/*"]} or {exclude: ["*testing/*"]}',
        "RAW: expected one folder of split val, but got val and valid; to leave one out: data.files: "
        '{exclude: ["*val/*"]} or {exclude: ["*valid/*"]}',
    ]


def test_a_set_without_split_folders_is_an_error_that_lists_its_folders(write_set, problems_of) -> None:
    assert problems_of(write_set("cyst/a.png normal/b.png"), **SPLITS) == [
        "RAW: expected folders named train, val, test; found cyst, normal"
    ]


def test_problems_below_a_root_say_so(write_set, problems_of) -> None:
    root = write_set("set/cyst/a.png set/normal/c.png set/x.png")
    assert problems_of(root, kind="class_folders", root="set") == ["in set: x.png: not in a class folder"]
