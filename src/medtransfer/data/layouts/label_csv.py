"""A table of labels: a column with the name or path of each image, one with its label, perhaps one with its split.

There may be one such table for each split.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from glob import escape
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from medtransfer.data.layouts import LAYOUTS, LayoutFormat, Reading, Strength
from medtransfer.data.layouts.files import SPLIT_NAMES, ImageFiles, images_of, shared_start, stem_of, words
from medtransfer.data.layouts.image_tables import (
    ImageTable,
    base_name,
    image_tables,
    label_columns,
    split_column,
    split_value,
)
from medtransfer.data.layouts.joins import with_columns
from medtransfer.data.layouts.tables import UNNAMED_COLUMN, RowMatches, match_images, match_names, read_table
from medtransfer.study import Layout
from medtransfer.util.errors import many, near

WITHOUT_IMAGE, WITHOUT_ROW = "rows without an image", "images without a row"
EMPTIED = "images whose findings are all left out"
"""The entries of a table's `attrs` for what `missing: drop` leaves out: the names in rows, and the paths of images."""
SPLITS = ("train", "val", "test")
MOST_EXCLUDED, FEW = 10, 0.2
FOLDER, SPLIT_OF_FILE = "folder of the images", "split of the file"
"""Columns of rows that are read from several tables."""


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
    files: dict[Any, str] = {"": layout.file} if isinstance(layout.file, str) else layout.file or {}
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
    if whole.empty:
        return pd.DataFrame(), [f"{where}: a table without rows; expected one row for each image"]
    layout = layout.model_copy(update={"image": layout.image or whole.columns[0], "file": where})
    labels, problems = labels_of(where, whole.drop(columns=[FOLDER, SPLIT_OF_FILE]))
    if labels is None:
        return pd.DataFrame(), problems
    if "" not in files:
        layout = layout.model_copy(update={"split": SPLIT_OF_FILE})
    tables = []
    for folder, group in whole.groupby(FOLDER):
        fields = {"images": str(folder)}
        rows, found = label_rows(root, group, labels[group.index], layout.model_copy(update=fields), images)
        tables.append(rows.drop(columns=[FOLDER, SPLIT_OF_FILE]))
        problems += found
    found_rows = pd.concat(tables, ignore_index=True)
    for key in (WITHOUT_IMAGE, WITHOUT_ROW):
        found_rows.attrs[key] = [name for table in tables for name in table.attrs.get(key, [])]
    return found_rows, problems


@dataclass(frozen=True)
class LabelTables:
    """A table that names images, or one for each split, read as one: its further columns, and where its images are.

    fields: those of the layout that name the files, the column of images and that of the split. others: the columns
    besides these. folders: returns the folders of the images, each a reading of its own.
    """

    fields: dict[str, Any]
    others: pd.DataFrame
    folders: Callable[[], Sequence[str | dict[str, str]]]

    def layouts(self, kind: str, **fields: Any) -> list[Layout]:
        """Return a layout for each folder of images."""
        given = self.fields | {"kind": kind} | fields
        return [Layout.model_validate(given | {"images": folder}) for folder in self.folders()]


def label_tables(root: Path, files: Sequence[PurePosixPath]) -> list[LabelTables]:
    """Return the tables of a set that may hold labels; those of the same columns, one for each split, are one."""
    images = images_of(files, root)
    tables = [table for table in image_tables(root, files) if not table.is_submission]
    found, together = [], set()
    for group in _of_splits(tables):
        if (folders := _folders_of_splits(group, images)) is not None:
            together |= {table.file for table in group.values()}
            fields: dict[str, Any] = {
                "file": {split: str(table.file) for split, table in group.items()},
                "image": next(iter(group.values())).image,
            }
            others = pd.concat([table.others for table in group.values()], ignore_index=True)
            found.append(LabelTables(fields, others, partial(list, [folders])))
    for table in tables:
        if table.file not in together:
            split = split_column(table.others)
            fields = {"file": str(table.file), "image": table.image} | ({"split": split} if split else {})
            others = table.others.drop(columns=split or [])
            found.append(LabelTables(fields, others, cache(partial(folders_of_images, table, images))))
    return found


def detect_label_csv(root: Path, files: Sequence[PurePosixPath]) -> list[Reading]:
    """Return a reading for each column of each table that may hold the labels; `named` if its name says so.

    Tables of the same columns whose names differ in a split (`train.csv`, `test.csv`) are read together.
    """
    found = []
    for table in label_tables(root, files):
        labels, named = label_columns(table.others)
        evidence: Strength = "named" if named else "possible"
        found += [Reading(layout, evidence) for label in labels for layout in table.layouts("label_csv", label=label)]
    return found


LAYOUTS.register("label_csv", LayoutFormat(read_label_csv, detect_label_csv))


def open_table(root: Path, layout: Layout, images: Sequence[Path] = ()) -> tuple[pd.DataFrame | None, list[str]]:
    """Open the table named by `layout`, and add those of its columns that are in joined tables.

    If it, a column or a folder is missing, return None and the problems.
    """
    path = root / str(layout.file)
    if not path.is_file():
        return None, [f"data.layout.file: {layout.file} is not in the set"]
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
    names = table[layout.image].str.strip()
    kept = ~_unwanted(root, layout, images, names)
    table, labels, names = table[kept], labels[kept], names[kept]
    matches = match_images(root, root / str(layout.images), images, names)
    rows = table.drop(columns=[name for name in ("path", "label", "split") if name in table])
    rows = rows.assign(path=matches.paths, label=labels.str.strip(), split=None)
    problems = matches.problems
    unnamed = many(matches.unnamed, f"has no row in {layout.file}")
    if layout.missing == "drop":
        problems, unnamed = matches.ambiguous_problems, []
        rows = rows[rows["path"] != ""]
        rows.attrs |= {WITHOUT_IMAGE: matches.missing, WITHOUT_ROW: matches.unnamed}
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


def _unwanted(root: Path, layout: Layout, images: Sequence[Path], names: pd.Series) -> pd.Series:
    """Return which rows name images that `data.files` leaves out, and no other."""
    unwanted = images.unwanted if isinstance(images, ImageFiles) else []
    if not unwanted:
        return pd.Series(False, index=names.index)
    every = match_images(root, root / str(layout.images), [*images, *unwanted], names).paths
    kept = match_images(root, root / str(layout.images), images, names).paths
    out = {path.relative_to(root).as_posix() for path in unwanted}
    return pd.Series([not here and path in out for here, path in zip(kept, every, strict=True)], index=names.index)


def _of_splits(tables: Sequence[ImageTable]) -> list[dict[str, ImageTable]]:
    """Return the tables that have the same columns and whose paths name one split each, all different."""
    groups: dict[tuple[str, ...], list[tuple[str, ImageTable]]] = {}
    for table in tables:
        if split := split_of_path(str(table.file)):
            groups.setdefault((table.image, *table.table.columns), []).append((split, table))
    whole = [dict(sorted(group, key=lambda pair: SPLITS.index(pair[0]))) for group in groups.values()]
    return [tables for group, tables in zip(groups.values(), whole, strict=True) if 1 < len(tables) == len(group)]


def _folders_of_splits(tables: dict[str, ImageTable], images: Sequence[PurePosixPath]) -> str | dict[str, str] | None:
    """Return the folder of the images of all tables, or that of each; None if it is not clear."""
    folders = {split: folders_of_images(table, images) for split, table in tables.items()}
    if any(len(found) > 1 for found in folders.values()):
        folders = {split: [name for name in found if split_of_path(name) == split] for split, found in folders.items()}
    if any(len(found) != 1 for found in folders.values()):
        return None
    of_split = {split: found[0] for split, found in folders.items()}
    return next(iter(of_split.values())) if len(set(of_split.values())) == 1 else of_split


def split_of_path(path: str) -> str | None:
    """Return the one split that words in a path name."""
    splits = {SPLIT_NAMES[word] for word in words(path) if word in SPLIT_NAMES}
    return splits.pop() if len(splits) == 1 else None


def folders_of_images(table: ImageTable, images: Sequence[PurePosixPath]) -> list[str]:
    """Return the folder below which the rows name their images; several if the rows name others in each."""
    named, paths = list(table.table[table.image].str.strip()), list(map(str, images))
    keys = {base_name(name) for name in named}
    places = [image.parts[:-1] for image in images if stem_of(image.name) in keys] or [i.parts[:-1] for i in images]
    common = PurePosixPath(*shared_start(places))

    def matched(folder: PurePosixPath) -> RowMatches:
        inside, start = _below(folder, paths), 0 if folder == PurePosixPath() else len(str(folder)) + 1
        return match_names([path[start:] for path in inside], inside, named)

    nearest = matched(common)
    if not nearest.missing and not nearest.ambiguous:  # folders above it could only add images that no row names
        same = [folder for folder in common.parents if len(_below(folder, paths)) == len(_below(common, paths))]
        return [str(next((above for above in reversed(same) if matched(above).paths == nearest.paths), common))]
    parts: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for place in places:
        parts.setdefault(place[: len(common.parts) + 1], []).append(place)
    children = {PurePosixPath(*shared_start(inside)) for inside in parts.values()}
    scores: dict[tuple[int, int], dict[tuple[str, ...], str]] = {}
    for folder in sorted({common, *common.parents, *children}, key=lambda path: (len(path.parts), path)):
        found = nearest if folder == common else matched(folder)
        score = (sum(path != "" for path in found.paths), -len(found.unnamed))
        scores.setdefault(score, {}).setdefault(tuple(found.paths), str(folder))
    return list(scores[max(scores)].values())


def _below(folder: PurePosixPath, paths: Sequence[str]) -> list[str]:
    start = "" if folder == PurePosixPath() else f"{folder}/"
    return [path for path in paths if path.startswith(start)]
