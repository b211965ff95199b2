"""Numbers as tables hold them: with decimal commas, separators of thousands, or a unit."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

CELL = re.compile(r"\s*([+-]?[\d.,]*\d(?:[eE][+-]?\d+)?)\s*([^\W\d_][^\s._]*|[%°][^\s._]*)?\s*")
SIGNS = ".,"


def as_numbers(cells: pd.Series) -> pd.Series:
    """Return cells as float64, without a unit that all of them have; nan where one is not a number."""
    values = pd.to_numeric(cells, errors="coerce").astype(np.float64)
    if values.isna().any() and len(units_of(cells)) == 1:
        numbers = cells.map(lambda cell: found[1] if (found := CELL.fullmatch(cell)) else "")
        values = values.fillna(pd.to_numeric(numbers, errors="coerce"))
    return values


def units_of(cells: pd.Series) -> list[str]:
    """Return the units of the cells that begin with a number, sorted; "" of those without one."""
    return sorted({found[2] or "" for cell in cells.unique() if (found := CELL.fullmatch(cell))})


def with_points(cells: pd.Series, decimal: str | None = None) -> tuple[pd.Series, str | None]:
    """Return cells with a point before decimals and no separators of thousands, and a number that leaves this open.

    decimal: the sign before decimals. If omitted, numbers such as 12,5 or 1.234,5 show it. A comma before three digits
    leaves it open, and so does a point that only some numbers have. Cells that disagree stay as they are.
    """
    numbers = {cell: found[1] for cell in cells.unique() if (found := CELL.fullmatch(cell))}
    signed = [number for number in numbers.values() if not set(SIGNS).isdisjoint(number)]
    shown = {sign for sign in [decimal, *map(_decimal_of, signed)] if sign}
    if len(shown) != 1:
        unclear = [number for number in signed if "," in number] or signed * (len(signed) < len(numbers))
        return cells, None if shown else next(iter(unclear), None)
    (decimal,) = shown
    others = SIGNS.replace(str(decimal), "")
    plain = {cell: cell.replace(others, "").replace(str(decimal), ".") for cell in numbers}
    return cells.map(lambda cell: plain.get(cell, cell)), None


def rough_numbers(cells: pd.Series) -> pd.Series:
    """Return cells as float64 for judging what a column holds: in doubt, the last sign precedes decimals."""
    texts = with_points(cells)[0].str.replace(r"[.,](?=.*[.,]\d)", "", regex=True)
    return as_numbers(texts.str.replace(",", ".", regex=False))


def _decimal_of(number: str) -> str | None:
    """Return the sign before the decimals of a number, if it shows which one that is."""
    used = [sign for sign in SIGNS if sign in number]
    if len(used) == 2:
        return max(used, key=number.rindex)
    if not used:
        return None
    whole, *parts = number.lstrip("+-").split(used[0])
    if len(parts) > 1:
        return SIGNS.replace(used[0], "")
    return None if len(parts[0]) == 3 and 0 < len(whole) < 4 and whole[0] != "0" else used[0]
