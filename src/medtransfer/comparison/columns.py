"""A table as text, with columns that write the rows of a table of results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from medtransfer.util.text import MISSING, in_figures, is_missing, with_interval


@dataclass(frozen=True)
class Cell:
    """A cell of a table. number: that by which the report sorts, None in a column of words; interval: that below it."""

    text: str
    number: Any = None
    interval: str = ""

    def __str__(self) -> str:
        return f"{self.text} {self.interval}".rstrip()


Row = dict[str, Any]
Column = tuple[str, Callable[[Row], Cell]]
"""The header of a column, and how its cells are made from the row of a table of results."""


@dataclass(frozen=True)
class TextTable:
    """A table as text, with its title and the note below it.

    rows: cells, the first `left` of which are names. note: one line per part. marked: the mark of each
    row's name; empty for none.
    """

    title: str
    header: list[str]
    rows: list[list[Cell]]
    note: str = ""
    marked: tuple[str, ...] = ()
    left: int = 1

    @property
    def marks(self) -> tuple[str, ...]:
        """The mark of each row: `tied`, `baseline` or nothing."""
        return self.marked or ("",) * len(self.rows)

    @classmethod
    def of(
        cls, title: str, table: pd.DataFrame, columns: Sequence[Column], note: str = "", left: int = 1, **others: Any
    ) -> TextTable:
        """Write the rows of a table of results."""
        rows = [[cell(row) for _, cell in columns] for row in table.to_dict("records")]
        return cls(title, [header for header, _ in columns], rows, note, left=left, **others)


def in_millions(value: Any) -> str:
    """Format a count in millions, or as `–` if it is missing."""
    if is_missing(value):
        return MISSING
    return f"{value / 1e6:,.2f} M" if value < 1e8 else f"{value / 1e6:,.0f} M"


def in_probability(p: Any) -> str:
    """Format a p value."""
    return MISSING if pd.isna(p) else "< .001" if p < 0.001 else in_figures(float(p))


def text(header: str, write: Callable[[Row], str]) -> Column:
    """Make a column of words from a function of a row."""
    return header, lambda row: Cell(write(row))


def word(header: str, name: str) -> Column:
    """Make a column of words from a column of results."""
    return text(header, lambda row: str(row[name]))


def figure(header: str, name: str, digits: int = 3) -> Column:
    """Make a column of numbers."""
    return header, lambda row: Cell(in_figures(row[name], digits), row[name])


def interval(header: str, name: str, ends: str = "{}_{}") -> Column:
    """Make a column of numbers with intervals; see `util.text.with_interval`."""
    return header, lambda row: interval_cell(row, name, ends)


def interval_cell(row: Any, name: str, ends: str = "{}_{}") -> Cell:
    """Write a number with its interval."""
    value, _, its_interval = with_interval(row, name, ends).partition(" ")
    return Cell(value, row.get(name), its_interval)


def p_cell(p: Any) -> Cell:
    """Write a p value."""
    return Cell(in_probability(p), p)


def sizes(*names: str) -> list[Column]:
    """Make a column of each of these sizes of a model; see `SIZES`."""

    def size(name: str) -> Column:
        return SIZES[name], lambda row: Cell(in_millions(row.get(name)), row.get(name))

    return [size(name) for name in names]


SIZES = {"parameters": "Parameters", "trainable_parameters": "trained", "multiply_adds": "Multiply-adds"}
RATES = [interval(rate.capitalize(), rate) for rate in ("sensitivity", "specificity", "precision")]
VARIANT, SET = word("Variant", "variant"), word("Test set", "set")
CORRECTED: Column = ("p", lambda row: p_cell(row["p_corrected"]))
