"""Tables of a set: read as text whatever their format, and their rows matched with the images that they name."""

from __future__ import annotations

import codecs
import io
import re
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.layouts.files import relative_to, stem_of, within
from medtransfer.data.layouts.workbooks import read_workbook
from medtransfer.util.errors import UserError, many, near
from medtransfer.util.text import listed

WORKBOOKS = frozenset((".xlsx", ".xlsm", ".xls", ".ods"))
LISTS = frozenset((".txt", ".lst"))
"""Text whose columns may be separated by spaces."""
TABLE_SUFFIXES = frozenset((".csv", ".tsv")) | WORKBOOKS | LISTS
SEPARATORS = ",;\t"
PREAMBLE = 50
"""The header is among so many first lines."""
MOST_COLUMNS = 5_000
"""A table of more columns takes minutes, and is one whose rows are its columns, or damaged."""
UNNAMED_COLUMN = re.compile(r"column \d+")
"""The names of the columns of a table without a header."""
NUMBER = re.compile(r"0*(\d+)(?:\.0+)?")


def read_table(path: Path, header: bool = True) -> pd.DataFrame:
    """Read a table with all values as text and column names without surrounding spaces.

    Text is UTF-8, UTF-16 or else Windows-1252. The separator is the most frequent of comma, semicolon and tab in the
    header: the first line, or the first that has one if those before it have none; columns of a `.txt` without any are
    separated by spaces. Of a workbook, the first sheet is read, or the one that the last part of the path names, as in
    `book.xlsx/labels`. Without a header the columns are `column 1`,
    `column 2` and so on. Raises `ValueError` with the reason, in one line, for a file that is not a table.
    """
    about = file_of_table(path).stat()
    return _read_table(path, header, about.st_mtime_ns, about.st_size)


def file_of_table(path: Path) -> Path:
    """Return the file that a table is in: itself, or the workbook of which it is a sheet."""
    return path.parent if path.parent.suffix.lower() in WORKBOOKS and not path.parent.is_dir() else path


@lru_cache(maxsize=16)
def _read_table(path: Path, header: bool, _changed: int, _size: int) -> pd.DataFrame:
    try:
        file = file_of_table(path)
        if file.suffix.lower() in WORKBOOKS:
            table = read_workbook(file, header, MOST_COLUMNS, None if file == path else path.name)
        else:
            table = _read_text(path, header)
    except Exception as error:
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error
    if header:
        table.columns = table.columns.astype(str).str.strip()
    else:
        table.columns = [f"column {number}" for number in range(1, len(table.columns) + 1)]
    return table


def _read_text(path: Path, header: bool) -> pd.DataFrame:
    text = _decoded(path.read_bytes())
    lines = text.splitlines(keepends=True)[:PREAMBLE]
    first = next((at for at, line in enumerate(lines) if any(sign in line for sign in SEPARATORS)), 0)
    separator = max(SEPARATORS, key=lines[first].count) if lines else ","
    if path.suffix.lower() in LISTS and lines and separator not in lines[first]:
        separator = r"\s+"
    if (columns := max((line.count(separator) for line in lines[first:]), default=0) + 1) > MOST_COLUMNS:
        raise ValueError(f"{columns:,} columns, expected at most {MOST_COLUMNS:,}; keep those of images and labels")
    header_line, *rows = text[sum(map(len, lines[:first])) :].splitlines(keepends=True) or [""]
    try:
        return _parsed("".join([header_line, *rows]), separator, header)
    except pd.errors.ParserWarning:  # cells would be lost: no harm if they are empty, as after a separator at the end
        table = _parsed("".join([f"{header_line.rstrip()}{separator}\n", *rows]), separator, header)
        if (table.iloc[:, -1] != "").any():
            raise
        return table.iloc[:, :-1]


def _parsed(text: str, separator: str, header: bool) -> pd.DataFrame:
    with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
        table = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=0 if header else None,
            index_col=False,
            skipinitialspace=True,
            dtype=str,
            keep_default_na=False,
            engine="python" if separator == r"\s+" else "c",
        )
    return table.fillna("")  # rows that are shorter than the header


def _decoded(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    if b"\0" in content[:PREAMBLE]:
        return content.decode("utf-16-le" if content[1:2] == b"\0" else "utf-16-be")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def selected_rows(table: pd.DataFrame, where: Mapping[str, str | list[str]]) -> pd.DataFrame:
    """Return the rows that have the values of `where` in its columns. Raises `UserError` for one that none has."""
    for name, value in where.items():
        if name not in table:
            raise UserError(f"no column {name!r}{near(name, table.columns)}")
        wanted = [value] if isinstance(value, str) else value
        kept = table[name].str.strip().isin(wanted)
        if not kept.any():
            raise UserError(f"where: no {listed(wanted)} in column {name!r}{near(wanted[0], table[name].unique())}")
        table = table[kept]
    return table


@dataclass(frozen=True)
class RowMatches:
    """The images that the rows of a table name.

    paths: the image of each row, relative to the root of the set, or "" if there is none or more than one. missing,
    ambiguous: the names of such rows. unnamed: the images below the folder that no row names.
    """

    paths: list[str]
    missing: list[str]
    ambiguous: list[str]
    unnamed: list[str]

    @property
    def problems(self) -> list[str]:
        """A line for each name, or for each kind of many, that no image or several have."""
        return many(self.missing, "no such image") + self.ambiguous_problems

    @property
    def ambiguous_problems(self) -> list[str]:
        """A line for each name, or for many, that several images have."""
        return many(self.ambiguous, "several images have that name; use paths")


def match_images(root: Path, folder: Path, images: Sequence[Path], names: Iterable[str]) -> RowMatches:
    """Find which of `images`, below `folder`, each name refers to: see `match_names`."""
    files = within(folder, images)
    return match_names(relative_to(folder, files), relative_to(root, files), list(names))


def match_names(below: list[str], places: list[str], names: list[str]) -> RowMatches:
    """Match names with images, given by their paths below the folder of images and by the same files' `places`.

    A name is the path or bare name of an image, with the extension of any image or without one; its case may differ,
    and a number may have lost its leading zeros or gained decimals (`1.0` of `0001.png`), where just one image fits.
    If no name is found, all were written elsewhere (`/kaggle/input/set/images/`): as many of the folders that they
    begin with are dropped as necessary, or all of them if the bare names are different.
    """
    found = find_places(below, places, names)
    names = [_normal(name) for name in names]
    return RowMatches(
        paths=[places[0] if len(places) == 1 else "" for places in found],
        missing=[name or "(empty name)" for name, places in zip(names, found, strict=True) if not places],
        ambiguous=[name for name, places in zip(names, found, strict=True) if len(places) > 1],
        unnamed=sorted(set(places).difference(*found)),
    )


def find_places(below: list[str], places: list[str], names: list[str]) -> list[list[str]]:
    """Return the places that each name refers to: none, one, or several; see `match_names`."""
    index = _Index(below, places)
    names = [_normal(name) for name in names]
    found = [index.find(name) for name in names]
    if not any(found):
        spellings = ([index.find(name) for name in each] for each in _written_here(names))
        found = next(filter(any, spellings), found)
    return found


class _Index:
    """The images of a folder by everything that may name them."""

    def __init__(self, below: list[str], places: list[str]) -> None:
        self._by_path: dict[str, list[str]] = {}
        self._by_key: dict[str, list[str]] = {}
        for path, place in zip(map(_normal, below), places, strict=True):
            self._by_path[path] = [place]
            name = path.rpartition("/")[2]
            for key in {path, name, stem_of(path), stem_of(name)}:
                self._by_key.setdefault(key, []).append(place)
        self._loosely: dict[str, list[str]] | None = None

    def find(self, name: str) -> list[str]:
        """Return the places of the images that a name may refer to."""
        exact = self._by_path.get(name) or self._by_key.get(name) or self._by_key.get(stem_of(name))
        return exact or self._find_loosely(name)

    def _find_loosely(self, name: str) -> list[str]:
        if self._loosely is None:
            self._loosely = {}
            for key, places in self._by_key.items():
                self._loosely.setdefault(loose(key), []).extend(places)
        return list(dict.fromkeys(self._loosely.get(loose(stem_of(name)), [])))


def _normal(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def loose(key: str) -> str:
    """Return a key without its case and, if it is a number, without leading zeros and decimals that are zero."""
    number = NUMBER.fullmatch(key)
    return number[1] if number else key.casefold()


def _written_here(names: list[str]) -> Iterator[list[str]]:
    """Yield the names without the folders that all of them begin with, one folder less at a time, then bare names."""
    parts = [PurePosixPath(name.replace("\\", "/")).parts for name in names]
    shared, known = 0, [path for path in parts if path]
    while known and all(len(path) > shared + 1 and path[shared] == known[0][shared] for path in known):
        shared += 1
    for count in range(shared + 1):
        yield ["/".join(path[count:]) for path in parts]
    bare = ["/".join(path[-1:]) for path in parts]
    if len(set(bare)) == len(set(parts)):
        yield bare
