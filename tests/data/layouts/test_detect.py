"""`data.layout: auto`: folders of classes and splits, real sets, and ambiguous ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from medtransfer.data.layouts.describe import describe_set
from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.read import as_yaml, read_layout
from medtransfer.study import Layout

from .detection import CLASSES, SPLITS, below, detected, refusal, understood


@pytest.mark.parametrize(
    ("images", "layout"),
    [
        (CLASSES, "class_folders"),
        ("0/a.png 1/b.png 2/c.png", "class_folders"),
        ("cyst/p1/a.png cyst/p2/b.png normal/p3/c.png", "class_folders"),
        ("mask/1.png mask/2.png no_mask/1.png no_mask/2.png", "class_folders"),
        ("with_mask/1.png without_mask/1.png", "class_folders"),
        (below("dataset", CLASSES), "{kind: class_folders, root: dataset}"),
        (below("dataset/dataset", CLASSES), "{kind: class_folders, root: dataset/dataset}"),
        (SPLITS, "split_folders"),
        (below("dataset/dataset", SPLITS), "{kind: split_folders, root: dataset/dataset}"),
        (below("a-set", "Training/cyst/a.png Training/x/b.png Testing/x/c.png"), "{kind: split_folders, root: a-set}"),
        ("train_images/cyst/a.png train_images/x/b.png test_set/x/c.png", "split_folders"),
        ("train/train/cyst/a.png train/train/x/b.png test/test/x/c.png", "{kind: split_folders, depth: 1}"),
        ("train/images/cyst/a.png train/images/x/b.png val/images/x/c.png", "{kind: split_folders, depth: 1}"),
        ("train/cyst/a.png test/normal/b.png", "split_folders"),
        ("data/train/cyst/a.png data/train/normal/b.png", "{kind: split_folders, root: data}"),
        ("cyst/train/a.png cyst/test/b.png normal/train/c.png normal/test/d.png", "class_split_folders"),
        (
            below("all", "cyst/train/a.png cyst/test/b.png normal/train/c.png normal/test/d.png"),
            "{kind: class_split_folders, root: all}",
        ),
    ],
)
def test_folders_are_detected_at_any_depth(write_set, images: str, layout: str) -> None:
    assert detected(write_set(images)) == layout


def test_files_that_operating_systems_leave_behind_are_ignored(write_set) -> None:
    files = {"Thumbs.db": "", "cyst/Thumbs.db": "", ".DS_Store": "", "cyst/.DS_Store": "", "__MACOSX/x/._a.png": ""}
    root = write_set(f"{CLASSES} .cache/x/a.png __MACOSX/cyst/a.png", files | {"cyst/desktop.ini": ""})
    assert detected(root) == "class_folders"
    assert len(understood(root)) == 3
    assert describe_set(root, Layout(kind="class_folders"), read_layout(root, Layout(kind="class_folders"))).endswith(
        "ignored  nothing"
    )


def test_paths_are_relative_to_the_whole_set(write_set) -> None:
    assert understood(write_set(below("dataset/dataset", SPLITS))) == [
        ("dataset/dataset/test/cyst/c.png", "cyst", "test"),
        ("dataset/dataset/train/cyst/a.png", "cyst", "train"),
        ("dataset/dataset/train/normal/b.png", "normal", "train"),
    ]


def test_classes_above_splits_are_read(write_set) -> None:
    root = write_set("cyst/train/p1/a.png cyst/Valid/b.png normal/train/c.png normal/test/d.png")
    assert [row[1:] for row in understood(root)] == [
        ("cyst", "val"), ("cyst", "train"), ("normal", "test"), ("normal", "train"),
    ]  # fmt: skip


def test_images_of_a_class_outside_its_splits_are_listed(write_set, problems_of) -> None:
    root = write_set("cyst/train/a.png cyst/b.png normal/c.png")
    assert problems_of(root, kind="class_split_folders") == [
        "cyst/b.png: not in a split folder",
        "normal: expected folders named train, val, test; found no folder",
    ]


READS = "data.layout: auto: the set can be read in 2 ways; name one: data.layout: "


@pytest.mark.parametrize(
    ("images", "files", "choices"),
    [
        (
            "berlin/cyst/a.png berlin/normal/b.png oslo/cyst/c.png oslo/normal/d.png",
            {},
            "class_folders (classes berlin 2, oslo 2) or {kind: class_folders, depth: 1} (classes cyst 2, normal 2)",
        ),
        (
            f"{SPLITS} {below('chest', SPLITS)}",
            {},
            "split_folders (classes cyst 2, normal 1) or {kind: split_folders, root: chest} (classes cyst 2, normal 1)",
        ),
        (
            CLASSES,
            {"labels.csv": "file,label\na,x\nb,y\nc,y\n"},
            "class_folders (classes cyst 2, normal 1) or {kind: label_csv, file: labels.csv, image: file, label: label}"
            " (classes x 1, y 2)",
        ),
        (
            "a.png b.png c.png d.png",
            {"labels.csv": "file,shape,tone\na,x,p\nb,y,p\nc,y,q\nd,x,q\n"},
            "{kind: label_csv, file: labels.csv, image: file, label: shape} (classes x 2, y 2) or "
            "{kind: label_csv, file: labels.csv, image: file, label: tone} (classes p 2, q 2)",
        ),
        (
            "train/a.png train/b.png test/c.png test/d.png",
            {"train.csv": "file,shape,tone\na,x,p\nb,y,q\n", "test.csv": "file,shape,tone\nc,x,q\nd,y,p\n"},
            "{kind: label_csv, file: {train: train.csv, test: test.csv}, image: file, label: shape, images: {train: "
            "train, test: test}} (classes x 2, y 2) or {kind: label_csv, file: {train: train.csv, test: test.csv}, "
            "image: file, label: tone, images: {train: train, test: test}} (classes p 2, q 2)",
        ),
        (
            "large/a.png large/b.png small/a.png small/b.png",
            {"labels.csv": "file,label\na,x\nb,y\n"},
            None,
        ),
    ],
    ids=["centres", "a set and its copy", "folders and a CSV", "two labels", "two labels in two CSVs", "two sizes"],
)  # fmt: skip
def test_an_ambiguous_set_is_an_error_that_lists_the_choices(
    write_set, images: str, files: dict[str, str], choices: str | None
) -> None:
    line = refusal(write_set(images, files))
    if choices is None:
        assert "images: large" in line
        assert "images: small" in line
    else:
        assert line.startswith(READS + choices)


def test_every_listed_choice_can_be_read(write_set, rows_of) -> None:
    root = write_set("berlin/cyst/a.png berlin/normal/b.png oslo/cyst/c.png oslo/normal/d.png")
    labels = [{label for _, label, _ in rows_of(root, kind="class_folders", depth=depth)} for depth in (0, 1)]
    assert labels == [{"berlin", "oslo"}, {"cyst", "normal"}]


def test_a_root_decides_which_copy_is_read(write_set) -> None:
    root = write_set(f"{SPLITS} {below('chest', SPLITS)}")
    found = resolve_layout(root, Layout(kind="auto", root="chest"))
    assert as_yaml(found) == "{kind: split_folders, root: chest}"
    assert len(read_layout(root, found)) == 3


def test_many_folders_that_differ_in_a_number_may_be_patients(write_set) -> None:
    line = refusal(write_set(" ".join(f"patient{number:02}/a.png" for number in range(21))))
    assert line.startswith(
        "data.layout: auto: 21 folders differ only in a number (patient00 … patient20): they may be patients, folds or "
        "parts of an archive, not classes; no layout fits the set as it is; name images and labels in a CSV"
    )


@pytest.mark.parametrize(
    ("images", "line"),
    [
        ("", "RAW: expected images, but got 1 file of other kinds"),
        (
            "a.png b.png",
            "data.layout: auto: no layout is detected for 2 images, the first being a.png; expected folders of ",
        ),
        (
            "train/a.png test/b.png",
            "data.layout: auto: no layout is detected for 2 images, the first being test/b.png; expected ",
        ),
    ],
)
def test_a_set_that_is_not_recognised_is_an_error_of_one_line(write_set, images: str, line: str) -> None:
    assert refusal(write_set(images, {"readme.txt": "nothing"})).startswith(line)


def test_a_missing_root_is_named(write_set) -> None:
    line = "data.layout.root: dataset is not a folder of the set"
    assert refusal(write_set(CLASSES), Layout(kind="auto", root="dataset")) == line


@pytest.mark.parametrize(
    ("folder", "layout", "images"),
    [("fetal_head", "one_hot_csv", 1391), ("chest_xray", "split_folders", 5856), ("brain_mri", "class_folders", 253)],
)
def test_real_sets_are_detected(shared: Path, folder: str, layout: str, images: int) -> None:
    root = shared / "data" / folder
    assert detected(root) == layout
    assert len(understood(root)) == images


def test_parts_with_the_same_classes_and_splits_can_be_read_together(write_set) -> None:
    places = [f"{part}/{part} data/{split}/{label}" for part in "pq" for split in ("Train", "Test") for label in "xy"]
    root = write_set("", {f"{place}/images/{place[0]}{n}.png": "" for place in places for n in (1, 2)})
    choice = "{kind: class_folders, depth: 3} and data.split: {method: published, folder: 3} (classes x 8, y 8)"
    assert choice in refusal(root)
