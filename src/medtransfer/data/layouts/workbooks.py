"""Tables in Excel and OpenDocument files that are not trusted."""

from __future__ import annotations

import subprocess
import sys
import warnings
from functools import lru_cache
from pathlib import Path

import pandas as pd

MOST_CELLS = 5_000_000
MOST_BYTES = 1 << 30
MOST_SECONDS = 120
PROBE = """
import resource, sys
from contextlib import suppress
from python_calamine import load_workbook
with suppress(ValueError):  # macOS has no such limit
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
book = load_workbook(sys.argv[1])
for name in book.sheet_names:
    row, column = book.get_sheet_by_name(name).end or (-1, -1)
    print(row + 1, column + 1, name)
"""


def read_workbook(path: Path, header: bool, most_columns: int, sheet: str | None = None) -> pd.DataFrame:
    """Read a sheet of a workbook, by default the first, as text. Raises `ValueError` if it is damaged or too large.

    A kilobyte may claim a sheet of 17 billion cells, for which the reader aborts: it is first tried in another process,
    of bounded memory.
    """
    about = path.stat()
    sizes = _sizes(path, about.st_mtime_ns, about.st_size)
    sheet = next(iter(sizes)) if sheet is None else sheet
    if sheet not in sizes:
        raise ValueError(f"no sheet {sheet!r}; expected {', '.join(sizes)}")
    rows, columns = sizes[sheet]
    if columns > most_columns or rows * columns > MOST_CELLS:
        raise ValueError(
            f"{rows:,} rows of {columns:,} columns; expected at most {most_columns:,} columns and {MOST_CELLS:,} "
            "cells: keep those of images and labels"
        )
    with warnings.catch_warnings(action="ignore"):
        return pd.read_excel(
            path, sheet_name=sheet, header=0 if header else None, dtype=str, keep_default_na=False, engine="calamine"
        )


def sheets_of(path: Path) -> list[str]:
    """List the sheets of a workbook that may be tables: two or more rows and columns. Raises `ValueError` as above."""
    about = path.stat()
    return [name for name, size in _sizes(path, about.st_mtime_ns, about.st_size).items() if min(size) > 1]


def first_sheet(path: Path) -> str:
    """Return the name of the first sheet of a workbook. Raises `ValueError` as above."""
    about = path.stat()
    return next(iter(_sizes(path, about.st_mtime_ns, about.st_size)))


@lru_cache(maxsize=64)
def _sizes(path: Path, _changed: int, _size: int) -> dict[str, tuple[int, int]]:
    """Return the numbers of rows and columns of each sheet."""
    command = [sys.executable, "-I", "-c", PROBE, str(path), str(MOST_BYTES)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise ValueError(f"not readable within {MOST_SECONDS} s; save the table as CSV") from None
    if done.returncode == 0:
        lines = [line.split(" ", 2) for line in done.stdout.splitlines()]
        return {name: (int(rows), int(columns)) for rows, columns, name in lines}
    kind, _, reason = next(reversed(done.stderr.splitlines()), "").partition(": ")
    if kind.startswith("python_calamine."):
        raise ValueError(reason)
    raise ValueError("damaged, or not readable within 1 GB of memory; save the table as CSV")
