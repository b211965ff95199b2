"""One one-hot CSV for the whole set: the image's name, and a 0/1 column for each class (ISIC, HAM10000); Split folders, each with a `_classes.csv`: a file name and a 0/1 column for each class (Roboflow, Kaggle)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from medtransfer.data.layouts.files import split_folders, within
from medtransfer.data.layouts.label_csv import label_rows, open_table
from medtransfer.study import Layout


def read_one_hot_table(root: Path, layout: Layout, images: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read the CSV named by `layout`; its classes are `layout.classes`, or all columns but image and split.

    Names are matched as those of `label_csv` are.
    """
    table, problems = open_table(root, layout)
    if table is None:
        return pd.DataFrame(), problems
    layout = layout.model_copy(update={"image": layout.image or table.columns[0]})
    classes = layout.classes or [name for name in table.columns if name not in (layout.image, layout.split)]
    marks = table[classes].apply(pd.to_numeric, errors="coerce")
    problems = [
        f"{layout.file}: column {name!r} holds {', '.join(sorted(set(table[name][wrong]))[:3])}, but a one-hot "
        "column holds 0 and 1; name the columns of classes as data.layout.classes"
        for name in classes
        if (wrong := ~marks[name].isin((0, 1))).any()
    ]
    if len(classes) < 2:
        problems.append(f"{layout.file}: expected a column for each of two or more classes, but got {len(classes)}")
    if problems:
        return pd.DataFrame(), problems
    marked = marks.sum(axis=1)
    problems = [
        f"{layout.file}: {name} has {number:g} classes marked, but one is expected"
        for name, number in zip(table[layout.image], marked, strict=True)
        if number != 1
    ]
    rows, unmatched = label_rows(root, table, marks.idxmax(axis=1), layout, images)
    return rows, problems + unmatched


CSV_NAME = "_classes.csv"


def read_one_hot_csv(root: Path, layout: Layout, images: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read every split folder's CSV, or the one that `layout.file` names.

    Returns a table (path relative to `root`, label, split) and the problems found, one line each.
    """
    if layout.file is not None:
        return read_one_hot_table(root, layout, images)
    folders = split_folders(root)
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
        for name, label in table.idxmax(axis=1).items()
    ]
    return pd.DataFrame(rows), []


def _read_folder(root: Path, folder: Path, split: str, images: Sequence[Path]) -> tuple[pd.DataFrame | None, list[str]]:
    path = folder / CSV_NAME
    where = path.relative_to(root)
    if not path.is_file():
        return None, [f"{where}: no such file; layout one_hot_csv expects one in the folder of split {split}"]
    try:
        table = pd.read_csv(path, skipinitialspace=True, index_col=0, dtype={0: str})
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        return None, [f"{where}: not a CSV table: {str(error).strip()}"]
    table.columns = table.columns.str.strip()
    table.index = table.index.astype(str).str.strip()
    problems = [
        f"{where}: column {name!r} holds {', '.join(sorted(map(str, values))[:3])}, but a one-hot column holds 0 and 1"
        for name in table.columns
        if (values := set(table[name].unique()) - {0, 1})
    ]
    if table.shape[1] < 2:
        problems.append(f"{where}: expected a column for each of two or more classes, but got {table.shape[1]}")
    if problems:
        return None, problems
    marked = table.sum(axis=1)
    problems += [f"{where}: {name} has {number:g} classes marked, but one is expected"
                 for name, number in marked[marked != 1].items()]  # fmt: skip
    problems += [f"{where}: {name} stands in more than one row"
                 for name in table.index[table.index.duplicated()].unique()]  # fmt: skip
    present = {file.relative_to(folder).as_posix() for file in within(folder, images)}
    problems += [f"{where}: {name} has a row, but there is no such file"
                 for name in sorted(set(table.index) - present)]  # fmt: skip
    problems += [f"{folder.relative_to(root)}/{name}: has no row in {where}"
                 for name in sorted(present - set(table.index))]  # fmt: skip
    return table, problems
