"""What was read of a set, as the user sees it."""

from __future__ import annotations

import pandas as pd

from medtransfer.data.layouts.describe import describe_set, sample_rows, samples_as_text
from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.read import Given, read_layout, read_rows
from medtransfer.study import Layout

from .detection import AUTO, SPLITS


def test_the_table_is_aligned_and_counts_everything(write_set) -> None:
    root = write_set(f"{SPLITS} spare/a.png", {"readme.md": "", "a.rtf": "", "b.rtf": ""})
    layout = resolve_layout(root, AUTO)
    assert describe_set(root, layout, read_layout(root, layout)).replace(str(root), "RAW").splitlines() == [
        "layout   split_folders",
        "root     RAW",
        "classes  cyst             2",
        "         normal           1",
        "splits   test             1",
        "         train            2",
        "ignored  .rtf files       2",
        "         images in spare  1",
        "         readme.md        1",
    ]


def test_test_images_without_labels_are_named_and_left_out(write_set) -> None:
    files = {"train.csv": "id,label\na,x\nb,y\nc,x\n", "sample_submission.csv": "id,label\nd,0\ne,0\n"}
    root = write_set("train/a.png train/b.png train/c.png test/d.png test/e.png", files)
    layout = resolve_layout(root, AUTO)
    table = read_layout(root, layout)
    assert set(table["path"]) == {"train/a.png", "train/b.png", "train/c.png"}
    lines = describe_set(root, layout, table).splitlines()
    assert [line.split() for line in lines[-2:]] == [
        ["unlabelled", "images", "in", "test", "2"],
        ["ignored", "sample_submission.csv", "1"],
    ]


def test_a_flat_test_folder_next_to_folders_of_classes_has_no_labels(write_set) -> None:
    root = write_set("train/x/a.png train/y/b.png test/c.png test/d.png")
    layout = resolve_layout(root, AUTO)
    table = read_layout(root, layout)
    assert set(table["path"]) == {"train/x/a.png", "train/y/b.png"}
    assert "unlabelled images in test" in describe_set(root, layout, table)


def test_images_with_labels_that_are_not_read_are_named(write_set) -> None:
    table = "new_names,labels\n1.bmp,1\n2.bmp,0\n3.bmp,1\n4.bmp,0\n"
    images = " ".join(f"val/{number}.bmp test/{number}.bmp" for number in range(1, 5))
    root = write_set(f"train/all/a.bmp train/hem/b.bmp {images} test/5.bmp", {"val/labels.csv": table})
    layout = Layout(kind="class_folders", root="train")
    text = describe_set(root, layout, read_layout(root, layout))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "labelled images in val, not read, by labels.csv (labels) 4" in lines
    assert "unlabelled images in test 5" in lines


def test_rows_that_are_left_out_and_classes_that_are_numbers_are_named(write_set) -> None:
    root = write_set("a.png b.png c.png d.png", {"t.csv": "n,grade\na,0\nb,1\nc,2\nx,1\n"})
    layout = Layout(kind="label_csv", file="t.csv", image="n", label="grade", missing="drop")
    rows = read_rows(root, layout, Given())
    assert (rows.without_image, rows.without_row) == (["x"], ["d.png"])
    text = describe_set(root, layout, rows.table, without_image=rows.without_image)
    assert "note     the classes are numbers from 0 to 2; if they are grades, their order is not used" in text
    assert "no image rows left out, such as x" in text
    assert "ignored  images in ." in text


def test_three_sample_rows_show_file_label_group_split_and_mask() -> None:
    table = pd.DataFrame(
        {"path": ["a.png", "b.png", "c.png", "d.png"], "label": list("xyxy"), "split": [None, "test"] * 2}
    )
    samples = sample_rows(table, pd.Series(["p1", "p1", "p2", "p2"]), {"a.png": ["a_mask.png"]})
    assert [list(row.values()) for row in samples] == [
        ["a.png", "x", "p1", "–", "a_mask.png"],
        ["c.png", "x", "p2", "–", "–"],
        ["d.png", "y", "p2", "test", "–"],
    ]
    assert samples_as_text(samples) == [
        "file   label  group  split  mask",
        "a.png  x      p1     –      a_mask.png",
        "c.png  x      p2     –      –",
        "d.png  y      p2     test   –",
    ]
    assert len(sample_rows(table[:1], None, {})) == 1


def test_sample_rows_are_of_readable_files_if_there_are_any() -> None:
    table = pd.DataFrame({"path": list("abcdef"), "label": list("xyxyxy"), "split": [None] * 6})
    shown = [row["file"] for row in sample_rows(table, None, {}, lambda path: path not in "adf")]
    assert shown == ["b", "e"]
    assert [row["file"] for row in sample_rows(table, None, {}, lambda path: False)] == ["a", "d", "f"]


def test_columns_are_as_wide_as_their_cells_in_a_terminal() -> None:
    table = pd.DataFrame({"path": ["a.png", "b.png"], "label": ["正常", "cyst"], "split": [None, None]})
    assert samples_as_text(sample_rows(table, None, {})) == [
        "file   label  group  split  mask",
        "a.png  正常   –      –      –",
        "b.png  cyst   –      –      –",
    ]
