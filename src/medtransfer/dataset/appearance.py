"""How the images of a set look before anyone looks at what they show: size, mode, file type, brightness."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

SAME_TYPE = {"jpeg": "jpg", "jpe": "jpg", "tiff": "tif"}


def file_types(paths: Sequence[str]) -> list[str]:
    """Give each file's type by its suffix, one name for each type; `none` without a suffix."""
    suffixes = [PurePosixPath(path).suffix.lower().removeprefix(".") or "none" for path in paths]
    return [SAME_TYPE.get(suffix, suffix) for suffix in suffixes]


def appearance_by(table: pd.DataFrame, column: str) -> dict[str, dict[str, Any]]:
    """Sum up the looks of the rows of each value of `column`.

    The table has path, width and height (pixels), mode and brightness (0 to 255). Returns for each value the
    number of images; of width, height and brightness the least, the median and the greatest; and how many images
    have each mode and each file type.
    """
    typed = table.assign(file_type=file_types(list(table["path"])))
    return {str(value): _looks(rows) for value, rows in typed.groupby(column)}


def _looks(rows: pd.DataFrame) -> dict[str, Any]:
    ranges = {
        name: [round(float(value), 1) for value in (rows[name].min(), rows[name].median(), rows[name].max())]
        for name in ("width", "height", "brightness")
    }
    counts = {
        name: {str(value): int(count) for value, count in rows[column].value_counts().sort_index().items()}
        for name, column in (("modes", "mode"), ("file_types", "file_type"))
    }
    return {"images": len(rows)} | ranges | counts
