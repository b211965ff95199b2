"""One-hot CSVs: one for the whole set (ISIC, HAM10000) or for each split (RFMiD), or a `_classes.csv` in each folder.

A row has the name of an image, and 0 or 1 in the column of each class.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.layouts import LAYOUTS, LayoutFormat, Reading
from medtransfer.data.layouts.files import ImageFiles, relative_to, split_folders, split_of, within
from medtransfer.data.layouts.image_tables import ENOUGH, label_columns
from medtransfer.data.layouts.label_csv import read_tables
from medtransfer.data.layouts.label_tables import label_tables
from medtransfer.data.layouts.tables import read_table
from medtransfer.study import Layout
from medtransfer.util.errors import many

CSV_NAME = "_classes.csv"
LABEL = ("label",)
"""The column of labels next to those of classes, which have names of text."""
MARKS = frozenset(("0", "1", "0.0", "1.0"))


def read_one_hot_csv(root: Path, layout: Layout, images: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read the CSV that `layout.file` names, or those of all splits, or else that of every split folder.

    The classes of a named CSV are `layout.classes`, or all columns but image and split; its names are matched as those
    of `label_csv` are. Returns a table (path relative to `root`, label, split) and the problems found, one line each.
    """
    if layout.file is not None:
        return _read_table(root, layout, images)
    folders = split_folders(root, images)
    if not folders:
        return pd.DataFrame(), [f"{root}: expected folders train, valid, test, each with a {CSV_NAME}"]
    tables, problems = [], []
    for split, folder in folders.items():
        table, found = _read_folder(root, folder, split, images)
        problems += found
        if table is not None:
            tables.append(table)
    if len({frozenset(table.columns) for table in tables}) > 1:
        problems.append(f"{root}: the {CSV_NAME} files of {', '.join(folders)} differ in their classes")
    if problems or not tables:
        return pd.DataFrame(), problems
    rows = [
        {"path": f"{folder.relative_to(root).as_posix()}/{name}", "label": label, "split": split}
        for (split, folder), table in zip(folders.items(), tables, strict=True)
        for name, label in table[LABEL].items()
    ]
    return pd.DataFrame(rows), []


def detect_one_hot_csv(root: Path, files: Sequence[PurePosixPath]) -> list[Reading]:
    """Return a reading for each folder of splits with a `_classes.csv`, and for each CSV with columns of 0 and 1."""
    tables = [file for file in files if file.name == CSV_NAME and split_of(file.parent.name)]
    folders = sorted({table.parent.parent for table in tables})
    found = [Reading(Layout(kind="one_hot_csv", root=str(folder)), "certain") for folder in folders]
    for table in label_tables(root, files):
        if not label_columns(table.others)[1] and (classes := _one_hot_columns(table.others)):
            found += [Reading(layout, "named") for layout in table.layouts("one_hot_csv", classes=classes)]
    return found


LAYOUTS.register("one_hot_csv", LayoutFormat(read_one_hot_csv, detect_one_hot_csv))


def _read_table(root: Path, layout: Layout, images: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    def labels_of(where: str, table: pd.DataFrame) -> tuple[pd.Series | None, list[str]]:
        image = layout.image or table.columns[0]
        classes = layout.classes or [name for name in table.columns if name not in (image, layout.split)]
        remedy = "; name the columns of classes in data.layout.classes"
        return _labels_of(where, table[classes], list(table[image]), images, remedy)

    return read_tables(root, layout, images, labels_of)


def _labels_of(
    where: str, cells: pd.DataFrame, names: Sequence[str], images: Sequence[Path], remedy: str = ""
) -> tuple[pd.Series | None, list[str]]:
    """Return the label of each row of marks, as the target reads them, and the problems."""
    target = images.target if isinstance(images, ImageFiles) else None
    if target is not None and (found := target.marked(cells)) is not None:
        labels, problems = found
        return None if problems else labels, [f"{where}: {problem}{remedy}" for problem in problems]
    marks = _marks(cells)
    if problems := _not_one_hot(where, cells, marks, remedy):
        return None, problems
    return marks.idxmax(axis=1), [f"{where}: {line}" for line in _not_one_class(names, marks)]


def _read_folder(root: Path, folder: Path, split: str, images: Sequence[Path]) -> tuple[pd.DataFrame | None, list[str]]:
    path = folder / CSV_NAME
    where = path.relative_to(root).as_posix()
    if not path.is_file():
        return None, [f"{where}: no such file; layout one_hot_csv expects one in the folder of split {split}"]
    try:
        table = read_table(path)
    except ValueError as error:
        return None, [f"{where}: not a CSV table: {error}"]
    table = table.set_index(table.columns[0])
    table.index = table.index.str.strip()
    labels, problems = _labels_of(where, table, list(table.index), images)
    if labels is None:
        return None, problems
    names = table.index
    present = set(relative_to(folder, within(folder, images)))
    of_names = many(list(names[names.duplicated()].unique()), "is in more than one row")
    of_names += many(sorted(set(names) - present), "has a row, but there is no such file")
    unnamed = [f"{folder.name}/{name}" for name in sorted(present - set(names))]
    problems += [f"{where}: {problem}" for problem in of_names]
    table = table.copy()
    table[LABEL] = labels
    return table, problems + many(unnamed, f"has no row in {where}")


def _marks(table: pd.DataFrame) -> pd.DataFrame:
    """Return the cells as numbers, missing if not numeric; `true` and `false` are 1 and 0."""
    truth = {"true": "1", "false": "0"}
    return table.apply(lambda column: pd.to_numeric(column.str.strip().str.lower().replace(truth), errors="coerce"))


def _not_one_hot(where: str, table: pd.DataFrame, marks: pd.DataFrame, remedy: str = "") -> list[str]:
    problems = [
        f"{where}: column {name!r} contains {', '.join(sorted(set(table[name][wrong].replace('', '(empty)')))[:3])}, "
        f"but a one-hot column contains only 0 and 1{remedy}"
        for name in table
        if (wrong := ~marks[name].isin((0, 1))).any()
    ]
    if len(table.columns) < 2:
        problems.append(f"{where}: expected a column for each of two or more classes, but got {len(table.columns)}")
    return problems


def _not_one_class(names: Sequence[str], marks: pd.DataFrame) -> list[str]:
    found: dict[float, list[str]] = {}
    for name, number in zip(names, marks.sum(axis=1), strict=True):
        if number != 1:
            found.setdefault(number, []).append(name)
    return [
        line
        for number, these in sorted(found.items())
        for line in many(these, f"{number:g} classes are marked, but one is expected")
    ]


def _one_hot_columns(table: pd.DataFrame) -> list[str]:
    marks = [name for name in table if set(table[name].str.strip()) <= MARKS]
    rows = table[marks].apply(pd.to_numeric).sum(axis=1) == 1
    return marks if len(marks) > 1 and rows.mean() > ENOUGH else []
