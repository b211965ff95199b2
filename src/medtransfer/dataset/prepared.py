"""The prepared set as every later stage reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

TABLE, IMAGES, ABOUT = "table.parquet", "images.npy", "dataset.json"


@dataclass(frozen=True)
class Roles:
    """The row numbers that train, select and test in one fold."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Prepared:
    """A folder that `prepare` wrote.

    table: a row an image: path, label, label_index, group, sha256, phash, width, height, mode, split, fold.
    """

    folder: Path

    @cached_property
    def table(self) -> pd.DataFrame:
        """Give the table, in the order of the packed pixels."""
        return pd.read_parquet(self.folder / TABLE)

    @cached_property
    def images(self) -> np.ndarray:
        """Map the packed pixels: uint8, [images, size, size, channels]."""
        return np.load(self.folder / IMAGES, mmap_mode="r")

    @cached_property
    def about(self) -> dict[str, Any]:
        """Give what was decided: classes, image size, channels, number of folds, hash, warnings."""
        described: dict[str, Any] = json.loads((self.folder / ABOUT).read_text(encoding="utf-8"))
        return described

    @property
    def classes(self) -> list[str]:
        """Name the classes, in the order of `label_index`."""
        return list(self.about["classes"])

    @property
    def folds(self) -> int:
        """Count the folds; 1 where nothing rotates."""
        return int(self.about["folds"])

    def roles(self, fold: int) -> Roles:
        """Say which rows train, select and test in `fold`.

        Rows of split `rotating` test in their own fold, select in the one before it, and train in the
        others. Other folded rows select in their own fold and train in the others. Rows without a fold
        keep their split.
        """
        split, home = self.table["split"].to_numpy(), self.table["fold"].to_numpy()
        rotating, folded = split == "rotating", (home >= 0) & (split != "test")
        test = np.where(rotating, home == fold, split == "test")
        validation = np.where(rotating, home == (fold + 1) % self.folds, np.where(folded, home == fold, split == "val"))
        train = ~test & ~validation
        return Roles(*(np.flatnonzero(rows) for rows in (train, validation, test)))

    def learnable_rows(self) -> np.ndarray:
        """List the rows that train in some fold: all but fixed test rows and fixed validation rows."""
        split, home = self.table["split"].to_numpy(), self.table["fold"].to_numpy()
        return np.flatnonzero((split != "test") & ((split != "val") | (home >= 0)))

    def cells(self) -> np.ndarray:
        """Number each row's (split, fold): rows of one cell are always on the same side of every split."""
        codes, _ = pd.factorize(self.table["split"] + "/" + self.table["fold"].astype(str), sort=True)
        return np.asarray(codes)
