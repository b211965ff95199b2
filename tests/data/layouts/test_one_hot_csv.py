"""Split folders with a one-hot `_classes.csv` in each."""

from __future__ import annotations

import pytest

KIND = {"kind": "one_hot_csv"}
IMAGES = "train/a.png train/b.jpg test/c.png"
TRAIN = "filename,cyst,normal\na.png,1,0\nb.jpg,0,1\n"
TEST = "filename,cyst,normal\nc.png,0,1\n"
ROWS = [("test/c.png", "normal", "test"), ("train/a.png", "cyst", "train"), ("train/b.jpg", "normal", "train")]


def csvs(train: str = TRAIN, test: str = TEST) -> dict[str, str]:
    return {"train/_classes.csv": train, "test/_classes.csv": test}


def test_every_row_has_the_marked_class_and_the_split_of_its_folder(write_set, rows_of) -> None:
    assert rows_of(write_set(IMAGES, csvs()), **KIND) == ROWS


@pytest.mark.parametrize("folder", ["val", "valid", "Validation"])
def test_the_validation_folder_has_several_names(write_set, rows_of, folder: str) -> None:
    files = csvs() | {f"{folder}/_classes.csv": "filename,cyst,normal\nd.png,1,0\n"}
    rows = rows_of(write_set(f"{IMAGES} {folder}/d.png", files), **KIND)
    assert (f"{folder}/d.png", "cyst", "val") in rows
    assert len(rows) == 4


@pytest.mark.parametrize(
    "train",
    [
        "filename, cyst , normal\na.png, 1, 0\nb.jpg, 0, 1\n",
        "filename,normal,cyst\na.png,0,1\nb.jpg,1,0\n",
        "filename,cyst,normal\na.png,1.0,0.0\nb.jpg,0.0,1.0\n",
        "\ufefffilename,cyst,normal\r\na.png ,1,0\r\nb.jpg,0,1\r\n",
    ],
    ids=["spaces", "another order of classes", "floats", "byte order mark and CRLF"],
)
def test_the_same_table_may_be_written_in_several_ways(write_set, rows_of, train: str) -> None:
    assert rows_of(write_set(IMAGES, csvs(train)), **KIND) == ROWS


def test_names_may_be_paths_below_the_split_folder(write_set, rows_of) -> None:
    root = write_set("train/x/a.png train/b.jpg test/c.png", csvs(TRAIN.replace("a.png", "x/a.png")))
    assert ("train/x/a.png", "cyst", "train") in rows_of(root, **KIND)


def test_other_folders_and_other_files_are_ignored(write_set, rows_of) -> None:
    root = write_set(f"{IMAGES} masks/train/a.png train/.a.png.swp.png train/notes.txt", csvs())
    assert rows_of(root, **KIND) == ROWS


def test_rows_without_files_and_files_without_rows_are_listed(write_set, problems_of) -> None:
    root = write_set(f"{IMAGES} train/y.png test/z.png", csvs(TRAIN + "x.png,1,0\nw.png,1,0\n"))
    assert problems_of(root, **KIND) == [
        "test/z.png: has no row in test/_classes.csv",
        "train/_classes.csv: w.png: has a row, but there is no such file",
        "train/_classes.csv: x.png: has a row, but there is no such file",
        "train/y.png: has no row in train/_classes.csv",
    ]


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ("a.png,1,1\nb.jpg,0,1\n", ["a.png: 2 classes are marked, but one is expected"]),
        (
            "a.png,0,0\nb.jpg,1,1\n",
            ["a.png: 0 classes are marked, but one is expected", "b.jpg: 2 classes are marked, but one is expected"],
        ),
        ("a.png,1,0\nb.jpg,0,1\na.png,1,0\n", ["a.png: is in more than one row"]),
        (
            "a.png,1,1\na.png,1,0\nb.jpg,0,1\n",
            ["a.png: 2 classes are marked, but one is expected", "a.png: is in more than one row"],
        ),
        ("a.png,2,0\nb.jpg,0,1\n", ["column 'cyst' contains 2, but a one-hot column contains only 0 and 1"]),
        (
            "a.png,yes,0\nb.jpg,,1\n",
            ["column 'cyst' contains (empty), yes, but a one-hot column contains only 0 and 1"],
        ),
    ],
    ids=["two marked", "several wrong", "twice", "twice and wrong", "no bit", "words and gaps"],
)
def test_rows_that_are_not_one_hot_are_listed(write_set, problems_of, rows: str, lines: list[str]) -> None:
    root = write_set(IMAGES, csvs("filename,cyst,normal\n" + rows))
    assert problems_of(root, **KIND) == [f"train/_classes.csv: {line}" for line in lines]


def test_splits_must_have_the_same_classes(write_set, problems_of) -> None:
    root = write_set(IMAGES, csvs(test="filename,cyst,mass\nc.png,0,1\n"))
    assert problems_of(root, **KIND) == ["RAW: the _classes.csv files of test, train differ in their classes"]


def test_one_class_column_is_too_few(write_set, problems_of) -> None:
    root = write_set(IMAGES, csvs("filename,cyst\na.png,1\nb.jpg,1\n"))
    assert "train/_classes.csv: expected a column for each of two or more classes, but got 1" in problems_of(
        root, **KIND
    )


def test_one_class_with_images_is_too_few(write_set, problems_of) -> None:
    root = write_set(IMAGES, csvs("filename,cyst,normal\na.png,0,1\nb.jpg,0,1\n"))
    assert problems_of(root, **KIND) == ["RAW: expected two or more classes, but got only 'normal'"]


def test_a_missing_csv_and_an_empty_one_are_named(write_set, problems_of) -> None:
    found = problems_of(
        write_set(f"{IMAGES} valid/d.png", {"train/_classes.csv": "", "test/_classes.csv": TEST}), **KIND
    )
    assert found[0].startswith("train/_classes.csv: not a CSV table: ")
    assert found[1] == ("valid/_classes.csv: no such file; layout one_hot_csv expects one in the folder of split val")


def test_a_set_without_split_folders_is_an_error_that_names_the_expected_ones(write_set, problems_of) -> None:
    assert problems_of(write_set("cyst/a.png"), **KIND) == [
        "RAW: expected folders train, valid, test, each with a _classes.csv"
    ]
