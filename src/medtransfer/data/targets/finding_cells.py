"""The findings in a cell of a table: split at a separator, in a list, from columns of marks, or from several rows."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

PRESENT, ABSENT = "present", "absent"
ROW, LIST, STATE = "\ue000", "\ue001", "\ue002"
"""Signs of the private use area, which no table has: between rows of an image, before each finding of a list, and
between a finding and its state."""
CERTAIN, POSSIBLE = "|;", ",/+&"
"""Separators that are no part of names, and those that may be."""
MOST_SHOWN = 3

Cell = dict[str, str]
"""The state of each finding that a cell names: `present`, `uncertain` or `empty`."""
Cells = list[Cell]


def as_cell(states: Mapping[str, str]) -> str:
    """Write the states of an image's findings as the text of a cell."""
    return LIST + LIST.join(f"{name}{STATE}{state}" for name, state in states.items() if state != ABSENT)


def joined_cells(cells: Sequence[str]) -> str:
    """Join the cells of several rows of an image."""
    return ROW.join(cells)


def read_cells(texts: pd.Series, separator: str | None, as_yaml: Callable[..., str]) -> tuple[Cells, list[str]]:
    """Return the findings in each cell; or the problem that their separator is not clear.

    separator: what separates them, "" if each cell is one finding; None to find it. as_yaml: writes `data.labels` with
    changes.
    """
    pieces = sorted({piece.strip() for text in texts.unique() for piece in text.split(ROW)})
    plain = [piece for piece in pieces if not piece.startswith(LIST) and not is_list(piece)]
    if separator is None:
        certain = [sign for sign in CERTAIN if any(sign in piece for piece in plain)]
        possible = [sign for sign in POSSIBLE if any(sign in piece for piece in plain)]
        if len(certain) > 1 or (possible and not certain):
            return [], [_unclear(plain, certain or possible, as_yaml)]
        separator = certain[0] if certain else ""
    wrong = [piece for piece in pieces if is_list(piece) and names_in(piece) is None]
    if wrong:
        return [], [f"{wrong[0]} is not a list of names; name another column in data.layout.label"]
    known = {piece: _parsed(piece, separator) for piece in pieces}
    found = []
    for text in texts:
        cell: Cell = {}
        for piece in text.split(ROW):
            for name, state in known[piece.strip()].items():
                cell[name] = PRESENT if cell.get(name) == PRESENT else state
        found.append(cell)
    return found, []


def _parsed(piece: str, separator: str) -> Cell:
    if piece.startswith(LIST):
        pairs = [part.split(STATE) for part in piece[1:].split(LIST) if part]
        return {name.strip(): state for name, state in pairs}
    names = names_in(piece) if is_list(piece) else (piece.split(separator) if separator else [piece])
    names = [name.strip() for name in names or []]
    return dict.fromkeys(filter(None, names) if any(names) else [""], PRESENT)


def is_list(piece: str) -> bool:
    """Return whether a cell is a list in brackets."""
    return piece.startswith("[") and piece.endswith("]")


def names_in(piece: str) -> list[str] | None:
    """Return the names in a list as Python writes it, or without quotation marks; None if they are not names."""
    try:
        found = ast.literal_eval(piece)
    except (ValueError, SyntaxError):
        found = piece[1:-1].split(",")
    return found if all(isinstance(name, str) for name in found) else None


def _unclear(pieces: Sequence[str], signs: Sequence[str], as_yaml: Callable[..., str]) -> str:
    """Return the problem that several separators are possible, with what each of them would give."""
    ways = []
    for sign in [*signs, ""]:
        names = sorted({name.strip() for piece in pieces for name in (piece.split(sign) if sign else [piece])})
        shown = ", ".join(names[:MOST_SHOWN]) + (", …" if len(names) > MOST_SHOWN else "")
        ways.append(f"{as_yaml(separator=sign)} ({len(names)} findings: {shown})")
    example = next(piece for piece in pieces if any(sign in piece for sign in signs))
    return f"{example!r} may be several findings or one; say what separates them: {' or '.join(ways)}"
