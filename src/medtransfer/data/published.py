"""The published split of a set: from its layout, a column, folders, or lists of names."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.groups import column_of, column_problem, folder_of
from medtransfer.data.layouts.files import file_of_set, files_below, relative_to, split_of, words
from medtransfer.data.layouts.image_tables import image_tables, split_column
from medtransfer.data.layouts.keys import images_named
from medtransfer.data.layouts.label_csv import tables_named
from medtransfer.data.layouts.read import Rows
from medtransfer.data.layouts.tables import TABLE_SUFFIXES, WORKBOOKS, RowMatches, match_images
from medtransfer.study import Layout, Split
from medtransfer.study.data import REST, SplitName
from medtransfer.util.errors import UserError
from medtransfer.util.text import counted, listed, yaml_word

MOST_SHOWN = 3
MOST_TABLES = 20
LIST_WORDS = frozenset(words("list lists split ids id name names file filenames files patient patients cases subjects"))
HEADER = 1
"""A list may begin with a line that names no image."""
SEVERAL = "images have that name"


def published_split(
    root: Path, base: str, rows: Rows, split: Split, left_out: Collection[str] = frozenset()
) -> tuple[pd.Series, list[str]]:
    """Return the published split of each row: train, val, test or missing; and warnings for every table.

    Lists are below the folder `base` of the set at `root`, or within the set; they may name images that are `left_out`.
    Raises `UserError` if a column or list does not fit the set.
    """
    if split.column is not None:
        return _from_column(rows, split), []
    if split.folder is not None:
        return _from_folders(rows.table["path"], split), []
    if split.lists is not None:
        return _from_lists(root, base, rows.table["path"], split.lists, left_out)
    return rows.table["split"], []


def propose_split(
    root: Path, layout: Layout, table: pd.DataFrame, left_out: Collection[str] = frozenset()
) -> list[str]:
    """Return a sentence if files of the set hold a published split: lists that are named after splits, or a column."""
    files = relative_to(root, files_below(root)) if root.is_dir() else []
    own = {str(PurePosixPath(layout.root) / name) for name in tables_named(root / layout.root, layout)} | set(left_out)
    texts = [name for name in files if PurePosixPath(name).suffix.lower() in TABLE_SUFFIXES - WORKBOOKS]
    texts = [name for name in texts if name not in own]
    lists = {name: split for name in texts if (split := _split_of_list(PurePosixPath(name).stem))}
    if 0 < len(lists) == len(set(lists.values())):
        return _proposed_lists(
            root, layout.root, table["path"], {split: name for name, split in lists.items()}, left_out
        )
    with suppress(UserError):  # a table of masks
        for other in image_tables(root, list(map(PurePosixPath, [*table["path"], *texts[:MOST_TABLES]]))):
            if other.table[other.image].nunique() == len(table) and (column := split_column(other.others)):
                counts = [
                    f"{value} {count}" for value, count in other.table[column].value_counts().sort_index().items()
                ]
                join = f"[{{file: {yaml_word(str(other.file))}, key: {yaml_word(other.image)}}}]"
                return [
                    f"column {column!r} of {other.file} holds a published split ({', '.join(counts)}); to use it: "
                    f"data.tables: {join} and data.split: {{method: published, column: {yaml_word(column)}}}"
                ]
    return []


def _split_of_list(stem: str) -> str | None:
    """Return the split that the name of a list states, if it states nothing else: `test_list`, `train_patients`."""
    return split_of(" ".join(word for word in words(stem) if word not in LIST_WORDS))


def _proposed_lists(
    root: Path, base: str, paths: pd.Series, files: Mapping[str, str], left_out: Collection[str]
) -> list[str]:
    """Return a sentence about lists of images, one for each of several splits, if no image is in two of them."""
    listed_images: dict[str, set[str]] = {}
    for split, file in sorted(files.items()):
        with suppress(UserError):
            listed_images[split] = _images_listed(root, base, paths, left_out, file, "")[0]
    sizes = {split: len(images) for split, images in listed_images.items() if images}
    whole = len(set().union(*listed_images.values()))
    if not sizes or sum(sizes.values()) > whole:
        return []
    named = {split: files[split] for split in sizes}
    if "test" not in named and "val" in named and (len(named) > 1 or whole < len(paths)):
        named["test"] = named.pop("val")
    for split in ("train", "test"):
        if whole < len(paths) and split not in named and REST not in named.values():
            named[split] = REST
    counts = listed([f"{files[split]} ({size})" for split, size in sizes.items()])
    if not {"train", "test"} <= named.keys() or (whole < len(paths) and REST not in named.values()):
        return [f"{counts} list {whole} of {len(paths)} images for a published split; data.split.lists uses such files"]
    how = ", ".join(f"{split}: {yaml_word(file)}" for split, file in named.items())
    return [
        f"{counts} list images of a published split; to use it: data.split: {{method: published, lists: {{{how}}}}}"
    ]


def _from_column(rows: Rows, split: Split) -> pd.Series:
    name = str(split.column)
    if (problem := column_problem(rows, name)) is not None:
        raise UserError(f"data.split.column: {problem}")
    return _meant(column_of(rows.table, name).astype(str).str.strip(), split, f"column {name!r}")


def _from_folders(paths: pd.Series, split: Split) -> pd.Series:
    folders = paths.map(lambda path: folder_of(path, int(split.folder or 0)))
    without = paths[folders.isna()]
    if len(without):
        raise UserError(
            f"data.split.folder: no folder {split.folder} above {counted(len(without), 'image')}, such as "
            f"{without.iloc[0]}; leave them out by data.files, or name another folder"
        )
    return _meant(folders, split, f"folder {split.folder}")


def _meant(names: pd.Series, split: Split, where: str) -> pd.Series:
    """Return the split that each name of one means, by itself or by `values`; an empty name means none."""
    given = split.values or {}
    meant: dict[str, str] = {name: of for name in names.unique() if (of := split_of(name))} | dict(given)
    unknown = sorted(set(names) - meant.keys() - {""})
    if unknown:
        asked = ", ".join(
            [
                *(f"{yaml_word(name)}: {of}" for name, of in sorted(given.items())),
                *(f"{yaml_word(name)}: …" for name in unknown[:MOST_SHOWN]),
            ]
        )
        raise UserError(
            f"data.split: {where} holds {listed([repr(name) for name in unknown[:MOST_SHOWN]])}"
            f"{' and others' if len(unknown) > MOST_SHOWN else ''}; say for each whether it is train, val or test: "
            f"data.split.values: {{{asked}}}"
        )
    if unused := sorted(given.keys() - set(names)):
        raise UserError(f"data.split.values: {unused[0]!r} is not in {where}")
    return names.map(meant)


def _from_lists(
    root: Path,
    base: str,
    paths: pd.Series,
    lists: Mapping[SplitName, str | list[str]],
    left_out: Collection[str],
) -> tuple[pd.Series, list[str]]:
    found = pd.Series(None, index=paths.index, dtype=object)
    warnings = []
    for split, files in lists.items():
        for file in [files] if isinstance(files, str) else files:
            if file == REST:
                continue
            images, warning = _images_listed(root, base, paths, left_out, file, f"data.split.lists.{split}")
            warnings += warning
            inside = paths.isin(images)
            twice = paths[inside & found.notna() & (found != split)]
            if len(twice):
                raise UserError(
                    f"data.split.lists: {counted(len(twice), 'image')} in {found[twice.index[0]]} and {split}, such as "
                    f"{twice.iloc[0]}"
                )
            found[inside] = split
    rest = next((split for split, files in lists.items() if files == REST), None)
    return found if rest is None else found.fillna(rest), warnings


def _images_listed(
    root: Path, base: str, paths: pd.Series, left_out: Collection[str], file: str, where: str
) -> tuple[set[str], list[str]]:
    """Return the images that a list names: in its lines as a whole, or in the column that names most."""
    try:
        content = file_of_set(file, root / base, root).read_bytes()
    except OSError:
        raise UserError(f"{where}: {file} is not a file of the set") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    lines = pd.Series([line.strip() for line in text.splitlines() if line.strip()], dtype=object)
    cells = lines.map(lambda line: [cell.strip().strip('"') for cell in re.split(r"[,;\s]", line)])
    columns = [lines, *(cells.str[at].dropna() for at in range(int(cells.str.len().max() or 0) if len(cells) else 0))]
    images, others = [root / path for path in paths], [root / path for path in left_out]
    names = max(columns, key=lambda names: _matched(match_images(root, root / base, [*images, *others], names)))
    best = match_images(root, root / base, images, names)
    found = images_named(root, root / base, images, list(names))
    absent = names[[not each for each in found]]
    missing = len(absent) - _matched(match_images(root, root / base, others, absent))
    if missing == len(names):
        raise UserError(f"{where}: {file} names none of the {len(paths)} images, such as {paths.iloc[0]}")
    if several := [line for line in best.problems if SEVERAL in line]:
        raise UserError(f"{where}: {file}: {several[0]}")
    listed_images = set(chain.from_iterable(found))
    if missing <= HEADER:
        return listed_images, []
    return listed_images, [
        f"SPLIT LISTS: {missing} of {len(names)} names in {file} are not images of the set; an image that is "
        "spelt otherwise there is not in this split"
    ]


def _matched(matches: RowMatches) -> int:
    return sum(path != "" for path in matches.paths)
