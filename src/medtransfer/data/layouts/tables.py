"""CSVs: read as text whatever separates their columns, and their rows matched with the images that they name."""

from __future__ import annotations

import codecs
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

import pandas as pd

from medtransfer.data.layouts.files import IMAGE_SUFFIXES, within

TABLE_SUFFIXES = frozenset((".csv", ".tsv"))
SEPARATORS = ",;\t"
PREAMBLE = 50
"""The header is among so many first lines."""


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV with all values as text and column names without surrounding spaces.

    The text is UTF-8, UTF-16 with its mark, or else Windows-1252. The separator is the most frequent of comma,
    semicolon and tab in the header: the first line, or the first that has one if those before it have none. Raises
    `ValueError` with the reason, in one line, for a file that is not a table.
    """
    try:
        text = _text(path)
        lines = text.splitlines(keepends=True)[:PREAMBLE]
        first = next((at for at, line in enumerate(lines) if any(sign in line for sign in SEPARATORS)), 0)
        separator = max(SEPARATORS, key=lines[first].count) if lines else ","
        rest = io.StringIO(text[sum(map(len, lines[:first])) :])
        table = pd.read_csv(rest, sep=separator, skipinitialspace=True, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(" ".join(str(error).split())) from error
    table.columns = table.columns.str.strip()
    return table


def _text(path: Path) -> str:
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def read_list(path: Path) -> pd.DataFrame:
    """Read a text file without a header, of columns separated by spaces or commas; a `ValueError` if they differ."""
    rows = [re.split(r"[\s,;]+", line.strip()) for line in _text(path).splitlines() if line.strip()]
    if len({len(row) for row in rows}) != 1:
        raise ValueError("rows of different lengths")
    return pd.DataFrame(rows, columns=[f"column {number}" for number in range(1, len(rows[0]) + 1)])


def read_workbook(path: Path) -> pd.DataFrame:
    """Read the first sheet of an Excel file as text, as evidence only: formats of numbers and dates are ignored."""
    space = {"": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            sheet = min(name for name in names if name.startswith("xl/worksheets/") and name.endswith(".xml"))
            shared = "xl/sharedStrings.xml"
            strings = ElementTree.fromstring(archive.read(shared)).findall("si", space) if shared in names else []
            rows = ElementTree.fromstring(archive.read(sheet)).findall(".//row", space)
    except (zipfile.BadZipFile, ElementTree.ParseError) as error:
        raise ValueError(str(error)) from error

    def text(cell: ElementTree.Element) -> str:
        value = "".join(cell.itertext()).strip()
        return "".join(strings[int(value)].itertext()) if cell.get("t") == "s" else value

    def column(cell: ElementTree.Element, position: int) -> str:
        return re.sub(r"\d", "", cell.get("r", "")) or str(position)

    table = pd.DataFrame([{column(cell, at): text(cell) for at, cell in enumerate(row)} for row in rows]).fillna("")
    if table.empty:
        raise ValueError("no rows")
    header = [value or name for name, value in table.iloc[0].items()]
    return table.iloc[1:].set_axis(header, axis=1)


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
    names = [unicodedata.normalize("NFC", name) for name in names]
    paths, problems, named = [], [], set()
    for name, known in zip(names, _without_foreign_prefix(names, by_key), strict=True):
        found = [by_path[known]] if known in by_path else by_key.get(known) or by_key.get(_without_suffix(known), [])
        if len(found) != 1:
            problem = "no such image" if not found else f"{len(found)} images have that name; use paths"
            problems.append(f"{name or '(empty name)'}: {problem}")
        paths.append(found[0] if len(found) == 1 else "")
        named.update(found)
    return RowMatches(paths, problems, sorted(set(places) - named))


def _keys(path: str) -> set[str]:
    """Return all the ways in which a row may name the image: path or bare name, with or without extension."""
    pure = PurePosixPath(unicodedata.normalize("NFC", path))
    stems = {str(pure.with_suffix("")), pure.stem} if pure.suffix.lower() in IMAGE_SUFFIXES else set()
    return {str(pure), pure.name} | stems


def _without_suffix(name: str) -> str:
    """Return a name without the extension of an image: that of the file may be another, or in capitals."""
    pure = PurePosixPath(name)
    return str(pure.with_suffix("")) if pure.suffix.lower() in IMAGE_SUFFIXES else name


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
