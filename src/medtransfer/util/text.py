"""Tables and figures as Markdown that is aligned also where it is read as plain text."""

from __future__ import annotations

import math
from typing import Any

LEAST_WIDTH = 3
"""A narrower column would have no room for the rule that says how it is aligned."""


def markdown_table(header: list[str], rows: list[list[str]], left: int = 1) -> str:
    """Lay out a table with padded cells; all but the first `left` columns are aligned to the right."""
    header, *rows = [[cell.replace("|", r"\|") for cell in row] for row in [header, *rows]]
    widths = [max(LEAST_WIDTH, *(len(row[column]) for row in [header, *rows])) for column in range(len(header))]

    def line(cells: list[str]) -> str:
        padded = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rules = ["-" * width if column < left else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join([line(header), line(rules), *(line(row) for row in rows)])


def in_figures(value: Any, digits: int = 3) -> str:
    """Write a share as `.873`, or `–` where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def duration(seconds: float) -> str:
    """Write a time as minutes and seconds, `4:05`, or with hours, `1:04:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
