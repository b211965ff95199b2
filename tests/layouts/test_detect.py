"""`data.layout: auto`: what is recognised, what is refused, and the table that says what was understood."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medtransfer.errors import UserError
from medtransfer.layouts.describe import as_yaml, describe_set
from medtransfer.layouts.detect import resolve_layout
from medtransfer.layouts.read import read_layout
from medtransfer.study import Layout

AUTO = Layout(kind="auto")
CLASSES = "cyst/a.png cyst/b.png normal/c.png"
SPLITS = "train/cyst/a.png train/normal/b.png test/cyst/c.png"


def below(folder: str, names: str) -> str:
    return " ".join(f"{folder}/{name}" for name in names.split())


def detected(root: Path) -> str:
    return as_yaml(resolve_layout(root, AUTO))


def refusal(root: Path, layout: Layout = AUTO) -> str:
    with pytest.raises(UserError) as raised:
        resolve_layout(root, layout)
    (line,) = raised.value.problems
    return line.replace(str(root), "RAW")


def understood(root: Path) -> list[tuple[Any, ...]]:
    table = read_layout(root, resolve_layout(root, AUTO))
    return [tuple(row) for row in table[["path", "label", "split"]].itertuples(index=False)]


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
def test_folders_are_recognised_at_any_depth(write_set, images: str, layout: str) -> None:
    assert detected(write_set(images)) == layout


def test_all_that_systems_leave_behind_is_passed_over(write_set) -> None:
    files = {"Thumbs.db": "", "cyst/Thumbs.db": "", ".DS_Store": "", "cyst/.DS_Store": "", "__MACOSX/x/._a.png": ""}
    root = write_set(f"{CLASSES} .cache/x/a.png __MACOSX/cyst/a.png", files | {"cyst/desktop.ini": ""})
    assert detected(root) == "class_folders"
    assert len(understood(root)) == 3
    assert describe_set(root, Layout(kind="class_folders"), read_layout(root, Layout(kind="class_folders"))).endswith(
        "ignored  nothing"
    )


def test_paths_are_those_below_the_whole_set(write_set) -> None:
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


def test_classes_above_splits_list_what_is_in_no_split(write_set, problems_of) -> None:
    root = write_set("cyst/train/a.png cyst/b.png normal/c.png")
    assert problems_of(root, kind="class_split_folders") == [
        "cyst/b.png: stands in no split folder",
        "normal: expected folders named train, val, test; found no folder at all",
    ]


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
    with pytest.raises(UserError) as raised:
        understood(root)
    assert raised.value.problems == [
        "labels.csv: c has 2 classes marked, but one is expected",
        "labels.csv: x: no such image",
    ]


@pytest.mark.parametrize("name", ["images/{}.png", "images/{}", "{}.png", "{}", "/kaggle/input/set/images/{}.png"])
def test_a_csv_of_paths_or_names_with_or_without_extension(write_set, name: str) -> None:
    rows = "".join(f"{name.format(stem)},{stem[0]}x,{age}\n" for stem, age in [("a1", 4), ("a2", 5), ("b1", 6)])
    root = write_set("images/a1.png images/a2.png images/b1.png", {"meta.csv": f"file,diagnosis,age\n{rows}"})
    assert detected(root) == "{kind: label_csv, file: meta.csv, image: file, label: diagnosis}"
    assert [row[1] for row in understood(root)] == ["ax", "ax", "bx"]


def test_a_csv_may_have_splits_semicolons_and_a_label_of_any_name(write_set) -> None:
    table = "Name;Patient_num;Tissue;Part\na;1;cyst;train\nb;2;cyst;test\nc;2;brain;train\nd;1;brain;test\n"
    root = write_set("img/a.png img/b.png img/c.png img/d.png", {"data/labels.csv": table})
    assert detected(root) == "{kind: label_csv, file: data/labels.csv, image: Name, label: Tissue, split: Part}"
    assert understood(root)[0] == ("img/a.png", "cyst", "train")


def test_a_code_beside_a_name_of_the_class_is_no_ambiguity(write_set) -> None:
    table = "image,class_id,class_name\na,0,cyst\nb,1,normal\nc,0,cyst\n"
    root = write_set("a.png b.png c.png", {"labels.csv": table})
    assert detected(root) == "{kind: label_csv, file: labels.csv, image: image, label: class_name}"


def test_parts_of_an_archive_are_no_classes_beside_a_csv(write_set) -> None:
    root = write_set("part_1/a.png part_1/b.png part_2/c.png", {"labels.csv": "id,dx\na,x\nb,y\nc,y\n"})
    assert detected(root) == "{kind: label_csv, file: labels.csv, image: id, label: dx}"


def test_images_without_a_row_are_left_out_only_by_whole_folders_and_shown(write_set) -> None:
    root = write_set("train/a.png train/b.png test/c.png test/d.png", {"train.csv": "id,label\na,x\nb,y\n"})
    layout = resolve_layout(root, AUTO)
    assert as_yaml(layout) == "{kind: label_csv, file: train.csv, image: id, label: label, images: train}"
    assert "ignored  images in test" in describe_set(root, layout, read_layout(root, layout))


def test_a_csv_that_agrees_with_the_folders_decides_nothing(write_set) -> None:
    table = "file,label\na.png,0\nb.png,0\nc.png,1\n"
    assert detected(write_set(CLASSES, {"labels.csv": table})).startswith("{kind: label_csv")


def test_folders_with_splits_go_before_a_csv_that_agrees(write_set) -> None:
    table = "file,label\na.png,0\nb.png,1\nc.png,0\n"
    assert detected(write_set(SPLITS, {"labels.csv": table})) == "split_folders"


def test_a_csv_without_labels_is_passed_over(write_set) -> None:
    assert detected(write_set(CLASSES, {"meta.csv": "file,age,width\na,4,7\nb,5,7\nc,6,7\n"})) == "class_folders"


MASKED = ": segmentation is not supported yet; to read classes all the same, name an explicit data.layout "


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (
            "images/a.png images/b.png masks/a.png masks/b.png",
            "2 of 4 images are masks of others (masks/a.png of images/a",
        ),
        ("set_masks/images/a.jpg set_masks/masks/a.png", "1 of 2 images are masks of others (set_masks/masks/a.png"),
        ("train/a.png train_masks/a_mask.png", "1 of 2 images are masks of others (train_masks/a_mask.png of train/a"),
        ("train/images/a.png train/Ground Truth/a.png", "1 of 2 images are masks of others (train/Ground Truth/a.png"),
        (
            "cyst/a.png cyst/masks/a.png normal/b.png normal/masks/b.png",
            "2 of 4 images are masks of others (cyst/masks",
        ),
        ("cyst/a.png cyst/a_mask.png cyst/a_mask_1.png normal/b.png", "2 of 4 images are masks of others (cyst/a_mask"),
        ("x/000_HC.png x/000_HC_Annotation.png y/1.png", "1 of 3 images are masks of others (x/000_HC_Annotation.png"),
    ],
)
def test_masks_beside_images_are_refused_in_one_line(write_set, tmp_path: Path, images: str, found: str) -> None:
    root = write_set(images.replace("Ground Truth", "Ground_Truth"))
    line = refusal(root)
    assert line.startswith(f"RAW: {found.replace('Ground Truth', 'Ground_Truth')}")
    assert MASKED in line


def test_a_csv_with_a_column_of_masks_is_refused(write_set) -> None:
    table = "image,mask\nx/a.png,y/k.png\nx/b.png,y/l.png\n"
    root = write_set("x/a.png x/b.png y/k.png y/l.png", {"pairs.csv": table})
    assert refusal(root) == "pairs.csv: column 'mask' names masks: segmentation is not supported yet"


READS = "data.layout: auto: the set can be read in 2 ways; name one: "


@pytest.mark.parametrize(
    ("images", "files", "choices"),
    [
        (
            "berlin/cyst/a.png berlin/normal/b.png oslo/cyst/c.png oslo/normal/d.png",
            {},
            "class_folders (classes berlin, oslo) or {kind: class_folders, depth: 1} (classes cyst, normal)",
        ),
        (
            f"{SPLITS} {below('chest', SPLITS)}",
            {},
            "split_folders (classes cyst, normal) or {kind: split_folders, root: chest} (classes cyst, normal)",
        ),
        (
            CLASSES,
            {"labels.csv": "file,label\na,x\nb,y\nc,y\n"},
            "class_folders (classes cyst, normal) or {kind: label_csv, file: labels.csv, image: file, label: label}",
        ),
        (
            "a.png b.png c.png d.png",
            {"labels.csv": "file,shape,tone\na,x,p\nb,y,p\nc,y,q\nd,x,q\n"},
            "{kind: label_csv, file: labels.csv, image: file, label: shape} or "
            "{kind: label_csv, file: labels.csv, image: file, label: tone}",
        ),
        (
            "train/a.png train/b.png test/c.png test/d.png",
            {"train.csv": "file,label\na,x\nb,y\n", "test.csv": "file,label\nc,x\nd,y\n"},
            "{kind: label_csv, file: test.csv, image: file, label: label, images: test} or "
            "{kind: label_csv, file: train.csv, image: file, label: label, images: train}",
        ),
        (
            "large/a.png large/b.png small/a.png small/b.png",
            {"labels.csv": "file,label\na,x\nb,y\n"},
            None,
        ),
    ],
    ids=["centres", "a set and its copy", "folders and a CSV", "two labels", "two CSVs", "two sizes"],
)  # fmt: skip
def test_ambiguity_names_the_choices(write_set, images: str, files: dict[str, str], choices: str | None) -> None:
    line = refusal(write_set(images, files))
    if choices is None:
        assert "images: large" in line
        assert "images: small" in line
    else:
        assert line == READS + choices


def test_every_choice_that_is_named_can_be_taken(write_set, rows_of) -> None:
    root = write_set("berlin/cyst/a.png berlin/normal/b.png oslo/cyst/c.png oslo/normal/d.png")
    labels = [{label for _, label, _ in rows_of(root, kind="class_folders", depth=depth)} for depth in (0, 1)]
    assert labels == [{"berlin", "oslo"}, {"cyst", "normal"}]


def test_a_root_settles_which_copy_is_read(write_set) -> None:
    root = write_set(f"{SPLITS} {below('chest', SPLITS)}")
    found = resolve_layout(root, Layout(kind="auto", root="chest"))
    assert as_yaml(found) == "{kind: split_folders, root: chest}"
    assert len(read_layout(root, found)) == 3


def test_many_folders_that_differ_in_a_number_may_be_patients(write_set) -> None:
    line = refusal(write_set(" ".join(f"patient{number:02}/a.png" for number in range(21))))
    assert line.startswith(
        "data.layout: auto: 21 folders differ only in a number (patient00 … patient20): where they are classes "
        "and not patients, set data.layout: class_folders;"
    )


@pytest.mark.parametrize(
    ("images", "line"),
    [
        ("", "RAW: expected images, but got 1 files of other kinds"),
        ("a.png b.png", "RAW: no layout is recognised in 2 images, the first being a.png; expected folders of classes"),
        ("train/a.png test/b.png", "RAW: no layout is recognised in 2 images, the first being test/b.png; expected "),
    ],
)
def test_what_is_not_recognised_is_told_in_one_line(write_set, images: str, line: str) -> None:
    assert refusal(write_set(images, {"readme.txt": "nothing"})).startswith(line)


def test_a_root_that_is_not_there_is_named(write_set) -> None:
    line = "data.layout.root: dataset is no folder of the set"
    assert refusal(write_set(CLASSES), Layout(kind="auto", root="dataset")) == line


def test_problems_below_a_root_say_so(write_set) -> None:
    root = write_set(f"{below('set', CLASSES)} set/x.png")
    with pytest.raises(UserError, match=r"^in set: x\.png: stands in no class folder$"):
        read_layout(root, Layout(kind="class_folders", root="set"))


def test_the_table_is_aligned_and_counts_all(write_set) -> None:
    root = write_set(f"{SPLITS} spare/a.png", {"readme.md": "", "a.txt": "", "b.txt": ""})
    layout = resolve_layout(root, AUTO)
    assert describe_set(root, layout, read_layout(root, layout)).replace(str(root), "RAW").splitlines() == [
        "layout   split_folders",
        "root     RAW",
        "classes  cyst             2",
        "         normal           1",
        "splits   test             1",
        "         train            2",
        "ignored  .md files        1",
        "         .txt files       2",
        "         images in spare  1",
    ]


@pytest.mark.parametrize(
    ("folder", "layout", "images"),
    [
        ("fetal_head", "one_hot_csv", 1391),
        ("chest_xray", "split_folders", 5856),
        ("brain_mri", "class_folders", 253),
    ],
)
def test_real_sets_are_recognised(shared: Path, folder: str, layout: str, images: int) -> None:
    root = shared / "data" / folder
    assert detected(root) == layout
    assert len(understood(root)) == images


def test_real_masks_are_refused(shared: Path) -> None:
    assert refusal(shared / "data" / "fetal_head_masks").startswith("RAW: 999 of 1998 images are masks of others")
