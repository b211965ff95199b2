"""CSVs: read as text whatever separates their columns, and their rows matched with the images that they name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.layouts.files import IMAGE_SUFFIXES, within

TABLE_SUFFIXES = frozenset((".csv", ".tsv"))
SEPARATORS = ",;\t"


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV with all values as text and column names without surrounding spaces.

    The separator is the most frequent of comma, semicolon and tab in the first line. Raises `ValueError`
    with the reason, in one line, for a file that is not a table.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline()
        separator = max(SEPARATORS, key=header.count)
        table = pd.read_csv(path, sep=separator, skipinitialspace=True, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(" ".join(str(error).split())) from error
    table.columns = table.columns.str.strip()
    return table


@dataclass(frozen=True)
class RowMatches:
    """The images that the rows of a CSV name.

    paths: the image of each row, relative to the root of the set, or "" if there is none or more than one. problems:
    a line for each such row. unnamed: the images below the folder that no row names.
    """

    paths: list[str]
    problems: list[str]
    unnamed: list[str]


def match_images(root: Path, folder: Path, images: Sequence[Path], names: Iterable[str]) -> RowMatches:
    """Find which of `images`, below `folder`, each name refers to.

    Rows written on another machine may share a prefix that does not exist here (`/kaggle/input/set/images/`):
    if no row at all is found as written, as much of that prefix is dropped as necessary.
    """
    files = within(folder, images)
    below = [file.relative_to(folder).as_posix() for file in files]
    places = [(folder / path).relative_to(root).as_posix() for path in below]
    return match_names(below, places, list(names))


def match_names(below: list[str], places: list[str], names: list[str]) -> RowMatches:
    """Match names with images, given by their paths below the folder of images and by the same files' `places`."""
    by_path = dict(zip(below, places, strict=True))
    by_key: dict[str, list[str]] = {}
    for path, place in by_path.items():
        for key in _keys(path):
            by_key.setdefault(key, []).append(place)
    paths, problems, named = [], [], set()
    for name, known in zip(names, _without_foreign_prefix(names, by_key), strict=True):
        found = [by_path[known]] if known in by_path else by_key.get(known, [])
        if len(found) != 1:
            problem = "no such image" if not found else f"{len(found)} images have that name; use paths"
            problems.append(f"{name or '(empty name)'}: {problem}")
        paths.append(found[0] if len(found) == 1 else "")
        named.update(found)
    return RowMatches(paths, problems, sorted(set(places) - named))


def _keys(path: str) -> set[str]:
    """Return all the ways in which a row may name the image: path or bare name, with or without extension."""
    pure = PurePosixPath(path)
    stems = {str(pure.with_suffix("")), pure.stem} if pure.suffix.lower() in IMAGE_SUFFIXES else set()
    return {path, pure.name} | stems


def _without_foreign_prefix(names: list[str], keys: dict[str, list[str]]) -> list[str]:
    if any(name in keys for name in names):
        return names
    parts = [PurePosixPath(name.replace("\\", "/")).parts for name in names]
    shared, known = 0, [path for path in parts if path]
    while known and all(len(path) > shared + 1 and path[shared] == known[0][shared] for path in known):
        shared += 1
    for count in range(shared + 1):
        shorter = ["/".join(path[count:]) for path in parts]
        if any(name in keys for name in shorter):
            return shorter
    return names
