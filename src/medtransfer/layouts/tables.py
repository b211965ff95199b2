"""Reading a CSV of labels as text, whatever separates its columns."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

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
