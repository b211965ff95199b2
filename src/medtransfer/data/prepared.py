"""The prepared set as every later stage reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.data.images.packed import Packed, Pixels, open_packed

TABLE, IMAGES, MASKS, ABOUT = "table.parquet", "images.npy", "masks.npy", "dataset.json"
COLUMNS = ("path", "label", "label_index", "group", "sha256", "width", "height", "mode", "brightness", "split", "fold")
VALUE = "target_"
"""The start of further columns of a set whose targets are not classes: the value of each output, by its number."""
PIXEL = ("pixel_height", "pixel_width")
"""Further columns of a set with masks: the sides of a packed pixel, in `Prepared.unit`."""


def unit_of(about: dict[str, Any]) -> str:
    """Return the unit of the numbers that are predicted, or else of lengths on masks; empty without either.

    That of masks is `px`, pixels of the original image, or `mm`. about: see `Prepared.about`.
    """
    return str(about.get("unit", about.get("masks", {}).get("unit", "")))


@dataclass(frozen=True)
class Roles:
    """The row numbers for training, selection and testing in one fold."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Prepared:
    """A folder that `prepare` wrote."""

    folder: Path

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per image, in the order of the packed pixels, with COLUMNS and, if there are masks, PIXEL.

        label: the class, or how the target is displayed."""
        return pd.read_parquet(self.folder / TABLE)

    @cached_property
    def images(self) -> Packed:
        """The packed pixels: uint8, [images, size, size, channels]."""
        return open_packed(self.folder / IMAGES)

    @property
    def pixels(self) -> Pixels:
        """The packed pixels with their hash."""
        images = self.images
        return Pixels(self.about["pixels_sha256"], len(images), images.row_bytes, images.__getitem__)

    @cached_property
    def about(self) -> dict[str, Any]:
        """The decisions: task, classes, image size, resizing, number of folds, hashes, warnings."""
        described: dict[str, Any] = json.loads((self.folder / ABOUT).read_text(encoding="utf-8"))
        return described

    @cached_property
    def masks(self) -> Packed | None:
        """The packed masks, uint8 [images, size, size]; None without any.

        They hold class numbers, 0 for background, and `IGNORED` for pixels that are left out.
        """
        return open_packed(self.folder / MASKS) if "masks" in self.about else None

    @property
    def target_masks(self) -> Packed | None:
        """The masks if the task is to predict them; None otherwise."""
        return self.masks if self.about["per_pixel"] else None

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """Return the targets of rows: masks as in `masks`, or `values`."""
        return self.values[rows] if self.target_masks is None else self.target_masks[rows]

    @cached_property
    def values(self) -> np.ndarray:
        """What is to be predicted of images, float32 [images, outputs], nan where unknown; classes are one-hot."""
        if self.outputs:
            return self.table[[f"{VALUE}{number}" for number in range(len(self.outputs))]].to_numpy(np.float32)
        return np.asarray(np.eye(len(self.classes), dtype=np.float32)[self.table["label_index"].to_numpy()])

    @property
    def mask_classes(self) -> list[str]:
        """The classes of the masks in the order of their numbers, which begin with 1; empty without masks."""
        return list(self.about["masks"]["classes"]) if "masks" in self.about else []

    @property
    def ignores(self) -> bool:
        """Whether masks have pixels that are left out of loss and metrics, `IGNORED`."""
        return bool(self.about.get("masks", {}).get("ignores", False))

    @property
    def unit(self) -> str:
        """The unit of what is measured; see `unit_of`."""
        return unit_of(self.about)

    @property
    def task(self) -> str:
        """The name of the task."""
        return str(self.about["task"])

    @property
    def classes(self) -> list[str]:
        """The classes in the order of `label_index`; empty if targets are not classes."""
        return list(self.about["classes"])

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs of a set whose targets are not classes; empty otherwise."""
        return list(self.about.get("outputs", []))

    @property
    def folds(self) -> int:
        """The number of folds; 1 if nothing rotates."""
        return int(self.about["folds"])

    def roles(self, fold: int) -> Roles:
        """Return the rows for training, selection and testing in `fold`.

        Rows of split `rotating` test in their own fold, select in the one before it, and train in the
        others. Other rows with a fold select in their own fold and train in the others. Rows without a fold
        keep their split.
        """
        return self._roles[fold]

    @cached_property
    def _roles(self) -> list[Roles]:
        split, home = self.table["split"].to_numpy(), self.table["fold"].to_numpy()
        rotating, folded = split == "rotating", (home >= 0) & (split != "test")
        found = []
        for fold in range(self.folds):
            test = np.where(rotating, home == fold, split == "test")
            fixed = np.where(folded, home == fold, split == "val")
            selects = np.where(rotating, home == (fold + 1) % self.folds, fixed)
            found.append(Roles(*(np.flatnonzero(rows) for rows in (~test & ~selects, selects, test))))
        return found

    @cached_property
    def learnable_rows(self) -> np.ndarray:
        """The rows that train in some fold: all but fixed test rows and fixed validation rows."""
        split, home = self.table["split"].to_numpy(), self.table["fold"].to_numpy()
        return np.flatnonzero((split != "test") & ((split != "val") | (home >= 0)))

    def cells(self) -> np.ndarray:
        """Return a number for the (split, fold) of each row: rows of one cell are on the same side of every split."""
        codes, _ = pd.factorize(self.table["split"] + "/" + self.table["fold"].astype(str), sort=True)
        return np.asarray(codes)
