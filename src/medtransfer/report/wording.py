"""Numbers and names in the wording of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from medtransfer.comparison.columns import Cell, TextTable
from medtransfer.util.text import MISSING, is_missing, typeset

LEAST_P, SPACE = 0.001, "\N{NO-BREAK SPACE}"


def breakable(name: str) -> Markup:
    """Return a name as HTML that may break after underscores."""
    return Markup("_<wbr>").join(escape(part) for part in name.split("_"))


def in_interval(low: Any, high: Any, digits: int = 3) -> str:
    """Write an interval as `[.501, .723]`; an undefined one is empty."""
    return "" if is_missing(low) or is_missing(high) else f"[{typeset(low, digits)}, {typeset(high, digits)}]"


def value_and_interval(row: Mapping[str, Any] | pd.Series, name: str) -> str:
    """Write a value of a row with its interval, as `.612 [.501, .723]`."""
    return f"{typeset(row[name])} {in_interval(row[f'{name}_low'], row[f'{name}_high'])}"


def cell(row: pd.Series, name: str, text: str = "") -> tuple[str, str, str]:
    """Return a cell of the macro `variants`: the sort key, the value in words, by default typeset, and its interval."""
    interval = in_interval(row.get(f"{name}_low"), row.get(f"{name}_high"))
    return f"{row[name]:.6g}", text or typeset(row[name]), interval


def rows_of(table: TextTable, names: Sequence[str]) -> list[tuple[str, list[tuple[str | None, str, str]]]]:
    """Return the rows of a table for the macro `variants`, those of variants in the order of `names`."""
    place = {name: number for number, name in enumerate(names)}
    rows = sorted(table.rows, key=lambda row: place.get(row[0].text, len(place)))
    return [(name.text, [_of_page(each) for each in cells]) for name, *cells in rows]


def _of_page(found: Cell) -> tuple[str | None, str, str]:
    if found.number is None:
        return text_cell(found.text)
    text, interval = (part.replace("-", "\N{MINUS SIGN}") for part in (found.text, found.interval))
    return f"{found.number:.6g}", text, interval


def text_cell(text: str) -> tuple[None, str, str]:
    """Return a cell of the macro `variants` that has text only."""
    return None, text, ""


def p_value(value: Any) -> str:
    """Write a p value with its relation: `= .012`, `< .001`, `> .999`."""
    if is_missing(value):
        return MISSING
    if value < LEAST_P:
        return f"<{SPACE}.001"
    return f">{SPACE}.999" if value > 1 - LEAST_P else f"={SPACE}{typeset(value)}"


def p_alone(value: Any) -> str:
    """Write a p value for a column of p values: `.012`, `< .001`."""
    return p_value(value).removeprefix(f"={SPACE}")


def three_digits(value: Any) -> str:
    """Write a number with three significant digits: `0.0123`, `1.23`, `123`, `12,300`."""
    if is_missing(value):
        return MISSING
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.{min(max(2 - math.floor(math.log10(abs(rounded))), 0), 4)}f}"
