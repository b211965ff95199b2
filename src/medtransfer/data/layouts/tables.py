"""Reading a CSV of labels as text, whatever separates its columns; Which image does a row of a CSV mean? By path or bare name, with or without its extension."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.layouts.files import IMAGE_SUFFIXES, within

SEPARATORS = ",;\t"


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV with all values as text and no spaces around the names of its columns.

    The separator is whichever of comma, semicolon and tab the first line holds most of. Raises `ValueError`
    with the reason, in one line, for a file that is no table.
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
class Match:
    """What the rows of a CSV name.

    paths: a row's image, relative to the set's root, or "" where there is none or more than one; problems:
    a line for each of those; left: the images below the folder that no row names.
    """

    paths: list[str]
    problems: list[str]
    left: list[str]


def match_images(root: Path, folder: Path, images: Sequence[Path], names: Iterable[str]) -> Match:
    """Find the one of `images`, below `folder`, that each name means.

    Rows written on another machine may share a prefix that is no folder here (`/kaggle/input/set/images/`):
    where no row at all is found as written, as much of that prefix is dropped as it takes.
    """
    files = within(folder, images)
    below = [file.relative_to(folder).as_posix() for file in files]
    places = [(folder / path).relative_to(root).as_posix() for path in below]
    return match_names(below, places, list(names))


def match_names(below: list[str], places: list[str], names: list[str]) -> Match:
    """Match names with images given by their paths below the images' folder and by the same files' `places`."""
    by_path = dict(zip(below, places, strict=True))
    by_key: dict[str, list[str]] = {}
    for path, place in by_path.items():
        for key in _keys(path):
            by_key.setdefault(key, []).append(place)
    paths, problems, named = [], [], set()
    for name, known in zip(names, _without_foreign_prefix(names, by_key), strict=True):
        found = [by_path[known]] if known in by_path else by_key.get(known, [])
        if len(found) != 1:
            what = "no such image" if not found else f"{len(found)} images of that name; give paths"
            problems.append(f"{name or '(empty name)'}: {what}")
        paths.append(found[0] if len(found) == 1 else "")
        named.update(found)
    return Match(paths, problems, sorted(set(places) - named))


def _keys(path: str) -> set[str]:
    """All the ways in which a row may name the image: path or bare name, with or without extension."""
    pure = PurePosixPath(path)
    stems = {str(pure.with_suffix("")), pure.stem} if pure.suffix.lower() in IMAGE_SUFFIXES else set()
    return {path, pure.name} | stems


def _without_foreign_prefix(names: list[str], keys: dict[str, list[str]]) -> list[str]:
    parts = [PurePosixPath(name.replace("\\", "/")).parts for name in names if name]
    shared = 0
    while parts and all(len(path) > shared + 1 and path[shared] == parts[0][shared] for path in parts):
        shared += 1
    if any(name in keys for name in names):
        return names
    for count in range(shared + 1):
        shorter = ["/".join(PurePosixPath(name.replace("\\", "/")).parts[count:]) for name in names]
        if any(name in keys for name in shorter):
            return shorter
    return names
