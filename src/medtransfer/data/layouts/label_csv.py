"""A table of labels: a column with the name or path of each image, one with its label, perhaps one with its split.

There may be one such table for each split, or for each part of the images.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from medtransfer.data.layouts import LAYOUTS, LayoutFormat, Reading, Strength
from medtransfer.data.layouts.files import ImageFiles, files_below, relative_to, within
from medtransfer.data.layouts.image_tables import label_columns, split_value
from medtransfer.data.layouts.joins import with_columns
from medtransfer.data.layouts.keys import images_named, spread
from medtransfer.data.layouts.label_tables import label_tables
from medtransfer.data.layouts.tables import (
    TABLE_SUFFIXES,
    UNNAMED_COLUMN,
    RowMatches,
    file_of_table,
    match_images,
    read_table,
    selected_rows,
)
from medtransfer.study import Layout
from medtransfer.util.errors import UserError, many, near

WITHOUT_IMAGE, WITHOUT_ROW = "rows without an image", "images without a row"
EMPTIED = "images whose findings are all left out"
KEYED = "folders, patients or cases whose labels the images have"
"""The entries of a table's `attrs` for what `missing: drop` leaves out: the names in rows, and the paths of images."""
MOST_EXCLUDED, FEW = 10, 0.2
FOLDER, SPLIT_OF_FILE, PLACE = "folder of the images", "split of the file", "path of the image"
"""Columns of rows that are read from several tables, or compared."""
MOST_READERS, MOST_SHOWN = 20, 3


LabelsOf = Callable[[str, pd.DataFrame], tuple[pd.Series | None, list[str]]]
"""Returns the label of each row of a table, named for messages, and its problems; None if there are no labels."""


def read_label_csv(root: Path, layout: Layout, images: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read the table named by `layout`, or that of each split, and find the image of each row below `layout.images`.

    A name may be a path or a bare name, with or without its extension. The other columns of the table are kept, so
    that one of them may be the group.
    """
    return read_tables(root, layout, images, lambda _, table: (table[layout.label], []))


def read_tables(
    root: Path, layout: Layout, images: Sequence[Path], labels_of: LabelsOf
) -> tuple[pd.DataFrame, list[str]]:
    """Read the table named by `layout`, or those of all splits as one, whose labels a function finds.

    Without `layout.image`, the first column of the first table names the images.
    """
    files: dict[Any, str] = dict(enumerate(tables_named(root, layout)))
    files = layout.file if isinstance(layout.file, dict) else files
    folders = layout.images if isinstance(layout.images, dict) else dict.fromkeys(files, layout.images)
    parts, problems = {}, []
    for split, file in files.items():
        table, found = open_table(root, layout.model_copy(update={"file": file, "images": folders[split]}), images)
        problems += found
        if table is not None:
            parts[file] = table.assign(**{FOLDER: folders[split], SPLIT_OF_FILE: split})
    if problems:
        return pd.DataFrame(), problems
    if not (layout.classes or layout.label) and len({frozenset(part.columns) for part in parts.values()}) > 1:
        return pd.DataFrame(), [f"{', '.join(parts)}: the tables differ in their columns; name data.layout.classes"]
    whole, where = pd.concat(parts.values(), ignore_index=True), ", ".join(parts)
    try:
        whole = selected_rows(whole, layout.where)
    except UserError as error:
        return pd.DataFrame(), [f"data.layout: {where}: {error}"]
    several = layout.file
    layout = layout.model_copy(update={"image": layout.image or whole.columns[0], "file": where})
    unwanted = [_unwanted(root, str(folder), images, group[layout.image]) for folder, group in whole.groupby(FOLDER)]
    whole = whole[~pd.concat(unwanted)[whole.index]] if unwanted else whole
    if whole.empty:
        return pd.DataFrame(), [f"{where}: a table without rows; expected one row for each image"]
    labels, problems = labels_of(where, whole.drop(columns=[FOLDER, SPLIT_OF_FILE]))
    if labels is None:
        return pd.DataFrame(), problems
    if isinstance(several, dict):
        layout = layout.model_copy(update={"split": SPLIT_OF_FILE})
    tables = []
    for folder, group in whole.groupby(FOLDER):
        fields = {"images": str(folder)}
        rows, found = label_rows(root, group, labels[group.index], layout.model_copy(update=fields), images)
        tables.append(rows.drop(columns=[FOLDER, SPLIT_OF_FILE]))
        problems += found
    found_rows = pd.concat(tables, ignore_index=True)
    for key in (WITHOUT_IMAGE, WITHOUT_ROW, KEYED):
        found_rows.attrs[key] = [name for table in tables for name in table.attrs.get(key, [])]
    return found_rows, problems


def detect_label_csv(root: Path, files: Sequence[PurePosixPath]) -> list[Reading]:
    """Return a reading for each column of each table that may hold the labels; `named` if its name says so.

    Tables of the same columns whose names differ in a split (`train.csv`, `test.csv`) are read together.
    """
    found = []
    for table in label_tables(root, files):
        labels, named = label_columns(table.others)
        telling = len(labels) == 1 and table.others[labels[0]].nunique() < len(table.keys)
        evidence: Strength = "named" if named or telling else "possible"
        layouts = [layout for label in labels for layout in table.layouts("label_csv", label=label)]
        found += [Reading(layout, evidence, keys=table.keys) for layout in layouts]
    return found


LAYOUTS.register("label_csv", LayoutFormat(read_label_csv, detect_label_csv))


def tables_named(root: Path, layout: Layout) -> list[str]:
    """List the tables that the file of a layout names, of which it may be a pattern, by their paths below `root`."""
    found = list(layout.file.values()) if isinstance(layout.file, dict) else [layout.file] if layout.file else []
    return [path for name in found for path in _matching(root, name) or [name]]


def _matching(root: Path, name: str) -> list[str]:
    if "*" not in name or (root / name).is_file():
        return []
    paths = relative_to(root, files_below(root))
    return [path for path in paths if fnmatchcase(path, name) and PurePosixPath(path).suffix.lower() in TABLE_SUFFIXES]


def open_table(root: Path, layout: Layout, images: Sequence[Path] = ()) -> tuple[pd.DataFrame | None, list[str]]:
    """Open the table named by `layout`, and add those of its columns that are in joined tables.

    If it, a column or a folder is missing, return None and the problems.
    """
    path = root / str(layout.file)
    if not file_of_table(path).is_file():
        tables = [str(path.relative_to(root)) for path in root.rglob("*") if path.suffix.lower() in TABLE_SUFFIXES]
        return None, [f"data.layout.file: {layout.file} is not in the set{near(str(layout.file), tables)}"]
    wanted = [("image", layout.image), ("label", layout.label), ("split", layout.split)]
    wanted += [("classes", name) for name in layout.classes or []]
    try:
        table = read_table(path)
        named = [name for _, name in wanted if name is not None]
        if named and all(UNNAMED_COLUMN.fullmatch(name) and name not in table for name in named):
            table = read_table(path, header=False)
    except ValueError as error:
        return None, [f"{layout.file}: not a CSV table: {error}"]
    if isinstance(images, ImageFiles) and (missing := [name for _, name in wanted if name and name not in table]):
        table, problems = with_columns([root, images.root], table, images.tables, missing)
        if problems:
            return None, problems
    problems = [
        f"data.layout.{key}: {layout.file} has no column {name!r}{near(name, table.columns)}"
        for key, name in wanted
        if name is not None and name not in table.columns
    ]
    if not (root / str(layout.images)).is_dir():
        problems.append(f"data.layout.images: {layout.images} is not a folder of the set")
    return (None if problems else table), problems


def label_rows(
    root: Path, table: pd.DataFrame, labels: pd.Series, layout: Layout, images: Sequence[Path]
) -> tuple[pd.DataFrame, list[str]]:
    """Join the rows of an opened table, each with its label, with the images that they name.

    With `missing: drop`, rows without an image and images without a row are left out.
    """
    matches = match_images(root, root / str(layout.images), images, table[layout.image].str.strip())
    keyed: list[str] = []
    if not any(matches.paths):
        found = images_named(root, root / str(layout.images), images, table[layout.image].str.strip())
        if any(found):
            labels, _ = spread(labels.to_frame("label"), found)
            labels, (table, paths) = labels["label"], spread(table, found)
            missing = list(table[layout.image][[path == "" for path in paths]])
            unnamed = sorted(set(relative_to(root, within(root / str(layout.images), images))).difference(paths))
            matches = RowMatches(paths, missing, [], unnamed)
            keyed = [f"{sum(map(bool, found)):,} in column {layout.image!r}, each of all of its images"]
    rows = table.drop(columns=[name for name in ("path", "label", "split") if name in table])
    rows = rows.assign(path=matches.paths, label=labels.str.strip(), split=None)
    problems = matches.problems
    unnamed = many(matches.unnamed, f"has no row in {layout.file}")
    if layout.missing == "drop":
        problems, unnamed = matches.ambiguous_problems, []
        rows = rows[rows["path"] != ""]
        rows.attrs |= {WITHOUT_IMAGE: matches.missing, WITHOUT_ROW: matches.unnamed}
    rows.attrs[KEYED] = keyed
    if layout.split is not None:
        rows["split"] = table.loc[rows.index, layout.split].map(split_value)
        unknown = sorted(set(table.loc[rows.index, layout.split][rows["split"].isna()]))
        problems += many(list(map(repr, unknown)), "is not a split; expected train, val, test")
    rows = rows[~(rows.duplicated(["path", "label", "split"]) & (rows["path"] != ""))]  # rows that say the same
    rows = _joined(rows, images)
    twice = sorted(set(rows["path"][rows["path"].duplicated() & (rows["path"] != "")]))
    few = len(twice) <= min(MOST_EXCLUDED, FEW * len(rows))
    problems += many(
        twice, f"is in more than one row, with other values{_leaving_out(root, images, twice) if few else ''}"
    )
    return rows, [f"{layout.file}: {line}" for line in problems] + unnamed


def _joined(rows: pd.DataFrame, images: Sequence[Path]) -> pd.DataFrame:
    """Keep one row of each image whose rows differ in their label alone, if the target joins labels."""
    target = images.target if isinstance(images, ImageFiles) else None
    several = rows.duplicated("path", keep=False) & (rows["path"] != "")
    if target is None or not several.any():
        return rows
    labels = rows[several].groupby("path")["label"].agg(lambda found: target.joined(list(found)))
    alike = rows[several].groupby("path")["split"].nunique(dropna=False) == 1
    joined = labels[alike & labels.notna()]
    rows = rows[~(rows["path"].isin(joined.index) & rows.duplicated("path"))]
    return rows.assign(label=rows["path"].map(joined).fillna(rows["label"]))


def _leaving_out(root: Path, images: Sequence[Path], paths: Sequence[str]) -> str:
    """Return how to leave images, by their paths below `root`, out of the set."""
    start = root.relative_to(images.root) if isinstance(images, ImageFiles) else Path()
    patterns = json.dumps([escape((start / path).as_posix()) for path in paths])
    return f"; to leave it out: data.files: {{exclude: {patterns}}}"


def _unwanted(root: Path, folder: str, images: Sequence[Path], names: pd.Series) -> pd.Series:
    """Return which rows name images below `folder` that `data.files` leaves out, and no other."""
    unwanted = images.unwanted if isinstance(images, ImageFiles) else []
    if not unwanted:
        return pd.Series(False, index=names.index)
    every = images_named(root, root / folder, [*images, *unwanted], names.str.strip())
    out = {path.relative_to(root).as_posix() for path in unwanted}
    return pd.Series([bool(paths) and out.issuperset(paths) for paths in every], index=names.index)


def row_selections(root: Path, layout: Layout, images: Sequence[Path]) -> list[Layout]:
    """Return a layout for each value of the first column by which each image has rows of one label alone.

    Such a column names who read the image, or which part of it is meant; none if rows differ anyhow.
    """
    table, _ = open_table(root, layout, images) if isinstance(layout.file, str) else (None, [])
    if table is None or layout.label is None:
        return []
    found = images_named(root, root / str(layout.images), images, table[layout.image].str.strip())
    rows, paths = spread(table, found, missing=False)
    rows = rows.assign(**{PLACE: paths})
    for name in table.columns.drop([layout.image, layout.label]):
        values = list(rows[name].value_counts().index)
        alone = rows.groupby([name, PLACE])[layout.label].nunique()
        labels = rows.groupby(name)[layout.label].nunique()
        if 1 < len(values) <= MOST_READERS and (alone == 1).all() and (labels > 1).all():
            return [layout.model_copy(update={"where": {name: value}}) for value in values[:MOST_SHOWN]]
    return []
