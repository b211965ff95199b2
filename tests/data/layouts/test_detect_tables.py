"""`data.layout: auto`: CSVs, one-hot or of labels, with all that their names may look like."""

from __future__ import annotations

import pytest

from medtransfer.data.layouts.describe import describe_set
from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.read import Given, as_yaml, read_layout
from medtransfer.study import Layout
from medtransfer.util.errors import UserError

from .detection import AUTO, CLASSES, SPLITS, choices_of, detected, refusal, understood
from .test_tables import write_workbook

ONE_HOT = "filename, cyst, normal\na.png, 1, 0\nb.png, 0, 1\n"


@pytest.mark.parametrize("wrap", ["", "set/set"])
def test_one_hot_csvs_in_split_folders(write_set, wrap: str) -> None:
    base = f"{wrap}/" if wrap else ""
    names = f"{base}train/a.png {base}train/b.png {base}valid/a.png {base}valid/b.png"
    root = write_set(names, {f"{base}{split}/_classes.csv": ONE_HOT for split in ("train", "valid")})
    assert detected(root) == (f"{{kind: one_hot_csv, root: {wrap}}}" if wrap else "one_hot_csv")
    assert [row[1:] for row in understood(root)] == [
        ("cyst", "train"), ("normal", "train"), ("cyst", "val"), ("normal", "val"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["_classes.csv", "truth.csv"])
@pytest.mark.parametrize("suffix", ["", ".png"])
def test_a_single_one_hot_csv(write_set, name: str, suffix: str) -> None:
    table = f"image,MEL,NV,BCC,age\na{suffix},1.0,0.0,0.0,40\nb{suffix},0.0,1.0,0.0,50\nc{suffix},0.0,0.0,1.0,60\n"
    root = write_set("images/a.png images/b.png images/c.png", {name: table})
    assert detected(root) == f"{{kind: one_hot_csv, file: {name}, image: image, classes: [MEL, NV, BCC]}}"
    assert [row[1] for row in understood(root)] == ["MEL", "NV", "BCC"]


def test_rows_that_are_not_one_hot_are_listed_by_the_same_reader(write_set) -> None:
    table = "image,cyst,normal\na,1,0\nb,0,1\nc,1,1\nd,0,1\nx,0,1\n"
    root = write_set("a.png b.png c.png d.png", {"labels.csv": table})
    line = refusal(root)
    assert line.startswith(
        "data.layout: auto: labels.csv: c: 2 classes are marked, but one is expected; labels.csv: x: no such image; "
    )
    assert [(layout.label, layout.missing) for layout in choices_of(line)] == [("cyst", "drop"), ("normal", "drop")]


@pytest.mark.parametrize("name", ["images/{}.png", "images/{}", "{}.png", "{}", "/kaggle/input/set/images/{}.png"])
def test_a_csv_of_paths_or_names_with_or_without_extension(write_set, name: str) -> None:
    rows = "".join(f"{name.format(stem)},{stem[0]}x,{age}\n" for stem, age in [("a1", 4), ("a2", 5), ("b1", 6)])
    root = write_set("images/a1.png images/a2.png images/b1.png", {"meta.csv": f"file,diagnosis,age\n{rows}"})
    assert detected(root) == "{kind: label_csv, file: meta.csv, image: file, label: diagnosis}"
    assert [row[1] for row in understood(root)] == ["ax", "ax", "bx"]


def test_the_labels_may_be_on_any_sheet_or_on_one_for_each_split(write_set) -> None:
    root = write_set("a.png b.png c.png d.png")
    write_workbook(root / "t.xlsx", [["about the set"]], labels=[["image", "label"], *zip("abcd", "xyxy", strict=True)])
    assert detected(root) == "{kind: label_csv, file: t.xlsx/labels, image: image, label: label}"
    rows = [["image", "label"], ["a", "x"], ["b", "y"]]
    write_workbook(root / "t.xlsx", [["about the set"]], train=rows, test=[["image", "label"], ["c", "x"], ["d", "y"]])
    assert [row[2] for row in understood(root)] == ["train", "train", "test", "test"]
    write_workbook(root / "t.xlsx", [["image", "label"], *zip("abcd", "xyxy", strict=True)],
                   revised=[["image", "label"], *zip("abcd", "xxyy", strict=True)])  # fmt: skip
    assert len(choices_of(refusal(root))) == 2


def test_tables_of_the_parts_of_a_set_are_one(write_set) -> None:
    files = {f"Annotation_Base1{part}.csv": f"name,grade\n{part}_a,x\n{part}_b,y\n" for part in (1, 2, 3)}
    root = write_set("1_a.png 1_b.png 2_a.png 2_b.png 3_a.png 3_b.png", files)
    assert detected(root) == '{kind: label_csv, file: "Annotation_Base*.csv", image: name, label: grade}'
    assert [row[1] for row in understood(root)] == ["x", "y"] * 3
    layout = resolve_layout(root, AUTO)
    assert "ignored  nothing" in describe_set(root, layout, read_layout(root, layout))
    (root / "Annotation_Base13.csv").write_text("name,grade\n1_a,x\n3_b,y\n")  # names an image of another table
    assert "*" not in refusal(root)


def test_the_rows_of_one_reader_are_offered_if_readers_differ(write_set) -> None:
    rows = [f"{name},{reader},{label}" for reader, labels in {"R1": "xyxy", "R2": "xyyx"}.items()
            for name, label in zip("abcd", labels, strict=True)]  # fmt: skip
    root = write_set("a.png b.png c.png d.png", {"t.csv": "\n".join(["image,reader,label", *rows])})
    choices = choices_of(refusal(root))
    assert [(layout.where, layout.missing) for layout in choices] == [
        ({"reader": "R1"}, "fail"), ({"reader": "R2"}, "fail"),
    ]  # fmt: skip
    assert [list(read_layout(root, layout)["label"]) for layout in choices] == [list("xyxy"), list("xyyx")]
    with pytest.raises(UserError, match=r"data.layout: t.csv: where: no R3 in column 'reader'"):
        read_layout(root, choices[0].model_copy(update={"where": {"reader": "R3"}}))


def test_rows_of_images_that_are_left_out_need_not_be_one_hot(write_set) -> None:
    root = write_set("a.png b.png c.png", {"t.csv": "image,A,B\na,1,0\nb,0,1\nc,1,1\n"})
    layout = Layout(kind="one_hot_csv", file="t.csv", image="image")
    with pytest.raises(UserError, match="2 classes are marked"):
        read_layout(root, layout)
    assert list(read_layout(root, layout, Given(unwanted=frozenset({"c.png"})))["label"]) == ["A", "B"]


def test_a_csv_may_have_splits_semicolons_and_a_label_of_any_name(write_set) -> None:
    table = "Name;Patient_num;Tissue;Part\na;1;cyst;train\nb;2;cyst;test\nc;2;brain;train\nd;1;brain;test\n"
    root = write_set("img/a.png img/b.png img/c.png img/d.png", {"data/labels.csv": table})
    assert detected(root) == "{kind: label_csv, file: data/labels.csv, image: Name, label: Tissue, split: Part}"
    assert understood(root)[0] == ("img/a.png", "cyst", "train")


def test_a_code_and_a_name_of_the_same_class_are_not_ambiguous(write_set) -> None:
    table = "image,class_id,class_name\na,0,cyst\nb,1,normal\nc,0,cyst\n"
    root = write_set("a.png b.png c.png", {"labels.csv": table})
    assert detected(root) == "{kind: label_csv, file: labels.csv, image: image, label: class_name}"


def test_parts_of_an_archive_are_not_classes_if_there_is_a_csv(write_set) -> None:
    root = write_set("part_1/a.png part_1/b.png part_2/c.png", {"labels.csv": "id,dx\na,x\nb,y\nc,y\n"})
    assert detected(root) == "{kind: label_csv, file: labels.csv, image: id, label: dx}"


def test_images_without_a_row_are_left_out_only_as_whole_folders_and_are_shown(write_set) -> None:
    root = write_set("train/a.png train/b.png test/c.png test/d.png", {"train.csv": "id,label\na,x\nb,y\n"})
    layout = resolve_layout(root, AUTO)
    assert as_yaml(layout) == "{kind: label_csv, file: train.csv, image: id, label: label, images: train}"
    assert "unlabelled images in test" in describe_set(root, layout, read_layout(root, layout))


def test_a_csv_that_agrees_with_the_folders_is_preferred(write_set) -> None:
    table = "file,label\na.png,0\nb.png,0\nc.png,1\n"
    assert detected(write_set(CLASSES, {"labels.csv": table})).startswith("{kind: label_csv")


def test_folders_with_splits_are_preferred_to_a_csv_that_agrees(write_set) -> None:
    table = "file,label\na.png,0\nb.png,1\nc.png,0\n"
    assert detected(write_set(SPLITS, {"labels.csv": table})) == "split_folders"


def test_a_csv_without_labels_is_ignored(write_set) -> None:
    assert detected(write_set(CLASSES, {"meta.csv": "file,age,width\na,4,7\nb,5,7\nc,6,7\n"})) == "class_folders"


def test_run_lengths_beside_a_column_that_may_not_be_the_label_are_asked_about(write_set) -> None:
    rows = "".join(f"{name},{organ},1 2\n" for name, organ in (("a", "lung"), ("b", "lung"), ("c", "spleen")))
    root = write_set("i/a.png i/b.png i/c.png", {"train.csv": f"id,organ,rle\n{rows}"})
    assert "column 'rle' has outlines of objects, which are not read; 'organ' may not be what is learned" in refusal(
        root
    )
