"""Views as training reads them: kept on disk, shared by all variants, or drawn anew each epoch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

import numpy as np

from medtransfer.dataset.packed import open_packed
from medtransfer.dataset.pixels import Pixels
from medtransfer.dataset.prepared import Prepared
from medtransfer.files import sha256_of_code, sha256_of_json
from medtransfer.study import Policy

PIXELS, LABELS, MASKS, ABOUT = "views.npy", "labels.npy", "masks.npy", "views.json"


class Views(Protocol):
    """Augmented training images by row of the prepared table and epoch."""

    count: int | None
    """How many distinct views an image has; None where every epoch's is new."""

    def view_of(self, epoch: int) -> int:
        """Give the number of the view that `epoch` trains on."""

    def source(self, view: int) -> Pixels:
        """Give the pixels of one view of all images, under the numbers that `items` gives them."""

    def items(self, rows: np.ndarray) -> np.ndarray:
        """Give the numbers of rows of the prepared table within a view."""

    def labels(self, rows: np.ndarray, view: int) -> np.ndarray:
        """Give what is to be learned: label shares float32 [rows, classes], or masks uint8 [rows, size, size]."""


def view_pixels(views: Views, rows: np.ndarray, view: int) -> np.ndarray:
    """Give one view of rows, uint8 [rows, size, size, channels]."""
    return views.source(view).read(views.items(rows))


class StoredViews:
    """Views that `write_views` kept, or, for a policy that changes nothing, the prepared images themselves."""

    def __init__(self, prepared: Prepared, folder: Path) -> None:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        self.count: int | None = about["views"]
        self.sha256: str = about["sha256"]
        self._hashes: list[str] = about["view_sha256"]
        self._prepared = prepared
        self._places = np.full(len(prepared.table), -1)
        rows = prepared.learnable_rows
        self._places[rows] = np.arange(len(rows))
        self._pixels = folder / PIXELS
        kept = [folder / name for name in (LABELS, MASKS) if (folder / name).exists()]
        self._labels = np.load(kept[0], mmap_mode="r") if kept else None

    def view_of(self, epoch: int) -> int:
        """Give the number of the view that `epoch` trains on: they take turns."""
        return epoch % self.count if self.count else epoch

    def source(self, view: int) -> Pixels:
        """Give the pixels of one view of all images that train."""
        if not self._hashes:
            return self._prepared.pixels
        pixels = open_packed(self._pixels, part=view)
        return Pixels(self._hashes[view], len(pixels), pixels.row_bytes, pixels.__getitem__)

    def items(self, rows: np.ndarray) -> np.ndarray:
        """Give the places of rows among those that train."""
        return self._places[rows] if self._hashes else rows

    def labels(self, rows: np.ndarray, view: int) -> np.ndarray:
        """Give what is to be learned of a view: see `Views`."""
        if self._labels is None:
            return self._prepared.targets(rows)
        return np.asarray(self._labels[view, self._places[rows]])


class FreshViews:
    """Views drawn when they are asked for: a new one every epoch, none kept."""

    def __init__(self, prepared: Prepared, policy: Policy, seed: int) -> None:
        from medtransfer.augmentation.drawers import Drawers  # Albumentations takes a second to import
        from medtransfer.augmentation.views import ViewMaker

        self.count: int | None = None
        self._prepared, self._drawers = prepared, Drawers(ViewMaker(prepared, policy, seed))
        self._hard = policy.mix is None and prepared.target_masks is None
        self._view = -1
        self._learned: dict[int, np.ndarray] = {}
        self._origin = {
            "policy": policy.model_dump(mode="json"),
            "seed": seed,
            "data": [prepared.about["pixels_sha256"], prepared.about["table_sha256"]],
            "code": sha256_of_code("augmentation", "seeding.py"),
        }

    def view_of(self, epoch: int) -> int:
        """Give the epoch itself."""
        return epoch

    def source(self, view: int) -> Pixels:
        """Give the pixels of one view of all images, under the hash of all that decides them."""
        return Pixels(
            sha256_of_json(self._origin | {"view": view}),
            len(self._prepared.images),
            self._prepared.images.row_bytes,
            lambda rows: self._draw(rows, view),
        )

    def items(self, rows: np.ndarray) -> np.ndarray:
        """Give the rows themselves."""
        return rows

    def labels(self, rows: np.ndarray, view: int) -> np.ndarray:
        """Give what is to be learned of a view: see `Views`. Of the view drawn last it is at hand."""
        if self._hard:
            return self._prepared.targets(rows)
        missing = [row for row in rows.tolist() if view != self._view or row not in self._learned]
        if missing:
            self._draw(np.array(missing), view)
        return np.stack([self._learned[row] for row in rows.tolist()])

    def _draw(self, rows: np.ndarray, view: int) -> np.ndarray:
        pixels, learned = self._drawers.draw(rows, view)
        if view != self._view:
            self._view, self._learned = view, {}
        self._learned |= zip(rows.tolist(), learned, strict=True)
        return pixels


def open_views(prepared: Prepared, folder: Path, policy: Policy, seed: int) -> Views:
    """Open the views of a policy, kept or fresh."""
    if policy.views == "fresh":
        return FreshViews(prepared, policy, seed)
    return StoredViews(prepared, folder)
