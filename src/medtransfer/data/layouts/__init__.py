"""Layouts: how the files of a set state which image has which label.

A module of this package registers its layouts by being imported: each is a function that reads sets of that layout,
and one that detects it for `data.layout: auto`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from medtransfer.study import Layout
from medtransfer.util.registry import Registry

if TYPE_CHECKING:
    import pandas as pd

Strength = Literal["certain", "named", "possible"]


@dataclass(frozen=True)
class Reading:
    """One way to read a set, as found by a detector.

    evidence: `certain` if files that only this layout has explain all images below `layout.root`; `named` if the names
    of folders or columns suggest it; `possible` if only the values of a column do. classes: for an error line. keys:
    the folders, patients or cases that the rows of a table name instead of images.
    """

    layout: Layout
    evidence: Strength
    classes: tuple[str, ...] = ()
    keys: frozenset[str] = frozenset()


Read = Callable[[Path, Layout, Sequence[Path]], "tuple[pd.DataFrame, list[str]]"]
"""(folder, layout, images in it) to one row per image, with at least path (relative to the folder), label and split
(train, val, test or missing), and the problems found, one line each."""

Detect = Callable[[Path, Sequence[PurePosixPath]], list[Reading]]
"""(folder, its files by their relative paths) to the readings that this layout admits: none, one, or several."""


@dataclass(frozen=True)
class LayoutFormat:
    """The functions of a layout; one without `detect` is never found by `auto`."""

    read: Read
    detect: Detect = lambda _, __: []


LAYOUTS: Registry[LayoutFormat] = Registry("layout", package="medtransfer.data.layouts")
"""By `data.layout.kind`. Their order does not matter: a set that several of them detect is ambiguous."""
