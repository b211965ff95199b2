"""Which tables of a set may hold labels, alone or together, and where the images are that they name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, partial
from glob import escape
from itertools import chain, takewhile
from pathlib import Path, PurePosixPath
from string import digits as DIGITS
from typing import Any

import pandas as pd

from medtransfer.data.layouts.files import SPLIT_NAMES, images_of, shared_start, stem_of, words
from medtransfer.data.layouts.image_tables import ImageTable, base_name, image_tables, split_column
from medtransfer.data.layouts.tables import RowMatches, file_of_table, match_names
from medtransfer.study import Layout

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class LabelTables:
    """A table that names images, or one for each split, read as one: its further columns, and where its images are.

    fields: those of the layout that name the files, the column of images and that of the split. others: the columns
    besides these. folders: returns the folders of the images, each a reading of its own. keys: see `ImageTable`.
    """

    fields: dict[str, Any]
    others: pd.DataFrame
    folders: Callable[[], Sequence[str | dict[str, str]]]
    keys: frozenset[str] = frozenset()

    def layouts(self, kind: str, **fields: Any) -> list[Layout]:
        """Return a layout for each folder of images."""
        given = self.fields | {"kind": kind} | fields
        return [Layout.model_validate(given | {"images": folder}) for folder in self.folders()]


def label_tables(root: Path, files: Sequence[PurePosixPath]) -> list[LabelTables]:
    """Return the tables of a set that may hold labels.

    Tables of the same columns are one if each is of a split; and also if they name different images, as each part of a
    set may have its own (`Annotation_Base11.xls`, `Annotation_Base12.xls`).
    """
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
            keys = frozenset(chain.from_iterable(table.folders for table in group.values()))
            found.append(LabelTables(fields, others, partial(list, [folders]), keys))
    alone = [table for table in tables if table.file not in together]
    for whole, parts in _of_parts(alone):
        alone = [whole, *(table for table in alone if table.file not in parts)]
    for table in alone:
        split = split_column(table.others)
        fields = {"file": str(table.file), "image": table.image} | ({"split": split} if split else {})
        others = table.others.drop(columns=split or [])
        found.append(LabelTables(fields, others, cache(partial(folders_of_images, table, images)), table.folders))
    return found


def _of_parts(tables: Sequence[ImageTable]) -> Iterator[tuple[ImageTable, set[PurePosixPath]]]:
    """Yield tables of the same columns that name different images as one, whose file is a pattern, with their files."""
    groups: dict[tuple[str, ...], list[ImageTable]] = {}
    for table in tables:
        if file_of_table(Path(table.file)) == Path(table.file):
            groups.setdefault((table.image, *table.table.columns), []).append(table)
    for group in groups.values():
        names = [escape(str(table.file)) for table in group]
        start = _shared_signs(names).rstrip(DIGITS)
        end = _shared_signs([name[len(start) :][::-1] for name in names])[::-1].lstrip(DIGITS)
        pattern = f"{start}*{end}"
        others = [table.file for table in tables if fnmatchcase(str(table.file), pattern)]
        images = pd.concat([table.table[table.image].map(base_name).drop_duplicates() for table in group])
        if len(group) > 1 and len(others) == len(group) and not images.duplicated().any():
            whole = pd.concat([table.table for table in group], ignore_index=True)
            yield ImageTable(PurePosixPath(pattern), group[0].image, whole), {table.file for table in group}


def _shared_signs(names: Sequence[str]) -> str:
    """Return the signs with which all names begin."""
    return "".join(signs[0] for signs in takewhile(lambda signs: len(set(signs)) == 1, zip(*names, strict=False)))


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
    keys, written = {base_name(name) for name in named}, set(named)
    places = [image.parts[:-1] for image in images if str(image) in written]
    places = places or [image.parts[:-1] for image in images if stem_of(image.name) in keys]
    places = places or [image.parts[:-1] for image in images]
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
