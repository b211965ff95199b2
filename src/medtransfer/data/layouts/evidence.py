"""A reading of a set and the table that it gives, to be held against everything else that is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.layouts import Reading
from medtransfer.study import Labels


@dataclass(frozen=True)
class Evidence:
    """A reading and the table that it gives.

    files: those of the set, relative to `base`, without its masks. params: the section `data.labels`. start: the path
    of `base` within the set.
    """

    base: Path
    files: Sequence[PurePosixPath]
    reading: Reading
    table: pd.DataFrame
    params: Labels = field(default_factory=Labels)
    start: str = "."

    @cached_property
    def labels(self) -> list[str]:
        """The classes, sorted."""
        return sorted(self.table["label"].unique())

    @cached_property
    def rows(self) -> list[tuple[PurePosixPath, str]]:
        """The path and label of each image."""
        return list(zip(map(PurePosixPath, self.table["path"]), self.table["label"], strict=True))


Objection = Callable[[Evidence], Iterator[str]]


def shown(names: Sequence[str]) -> str:
    """Return the first three names."""
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
