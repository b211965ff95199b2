"""Tables in Excel and OpenDocument files that are not trusted."""

from __future__ import annotations

import subprocess
import sys
import warnings
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
row, column = load_workbook(sys.argv[1]).get_sheet_by_index(0).end or (-1, -1)
print(row + 1, column + 1)
"""


def read_workbook(path: Path, header: bool, most_columns: int) -> pd.DataFrame:
    """Read the first sheet of a workbook as text. Raises `ValueError` if it is damaged or too large.

    A kilobyte may claim a sheet of 17 billion cells, for which the reader aborts: it is first tried in another process,
    of bounded memory.
    """
    rows, columns = _size(path)
    if columns > most_columns or rows * columns > MOST_CELLS:
        raise ValueError(
            f"{rows:,} rows of {columns:,} columns; expected at most {most_columns:,} columns and {MOST_CELLS:,} "
            "cells: keep those of images and labels"
        )
    with warnings.catch_warnings(action="ignore"):
        return pd.read_excel(path, header=0 if header else None, dtype=str, keep_default_na=False, engine="calamine")


def _size(path: Path) -> tuple[int, int]:
    """Return the numbers of rows and columns of the first sheet."""
    command = [sys.executable, "-I", "-c", PROBE, str(path), str(MOST_BYTES)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise ValueError(f"not readable within {MOST_SECONDS} s; save the table as CSV") from None
    if done.returncode == 0:
        rows, columns = map(int, done.stdout.split())
        return rows, columns
    kind, _, reason = next(reversed(done.stderr.splitlines()), "").partition(": ")
    if kind.startswith("python_calamine."):
        raise ValueError(reason)
    raise ValueError("damaged, or not readable within 1 GB of memory; save the table as CSV")
