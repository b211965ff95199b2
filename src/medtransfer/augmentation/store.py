"""Views for training: kept on disk and shared by all variants, or drawn again in each epoch."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from medtransfer.data.images.packed import Pixels, open_packed, write_npy_header
from medtransfer.data.prepared import Prepared
from medtransfer.study import Policy
from medtransfer.util.digests import module_digest
from medtransfer.util.files import atomic_folder, sha256_of_file, sha256_of_json, write_json
from medtransfer.util.progress import one_ahead, progress

PIXELS, LABELS, MASKS, ABOUT = "views.npy", "labels.npy", "masks.npy", "views.json"

BLOCK = 16_000_000
"""Bytes of pixels that are drawn at once and then written."""


class Views(ABC):
    """Augmented training images by row of the prepared table and epoch."""

    count: int | None = None
    """Number of distinct views per image, which take turns; None if each epoch has a new one."""

    def view_of(self, epoch: int) -> int:
        """Return the number of the view of an epoch."""
        return epoch % self.count if self.count else epoch

    @abstractmethod
    def source(self, view: int) -> Pixels:
        """Return the pixels of one view of all images, indexed by `items`."""

    @abstractmethod
    def items(self, rows: np.ndarray) -> np.ndarray:
        """Return the indices of rows of the prepared table within a view."""

    @abstractmethod
    def labels(self, rows: np.ndarray, view: int) -> np.ndarray:
        """Return label shares float32 [rows, classes], or for segmentation masks uint8 [rows, size, size]."""


def view_pixels(views: Views, rows: np.ndarray, view: int) -> np.ndarray:
    """Return one view of rows, uint8 [rows, size, size, channels]."""
    return views.source(view).read(views.items(rows))


class StoredViews(Views):
    """Views that `write_views` kept, or the prepared images themselves if the policy changes nothing."""

    def __init__(self, prepared: Prepared, folder: Path) -> None:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        self.count = about["views"]
        self._hashes: list[str] = about["view_sha256"]
        self._prepared, self._pixels = prepared, folder / PIXELS
        self._places = np.full(len(prepared.table), -1)
        self._places[prepared.learnable_rows] = np.arange(len(prepared.learnable_rows))
        kept = [folder / name for name in (LABELS, MASKS) if (folder / name).exists()]
        self._labels = np.load(kept[0], mmap_mode="r") if kept else None

    def source(self, view: int) -> Pixels:
        """Return the pixels of one view of all images that train."""
        if not self._hashes:
            return self._prepared.pixels
        pixels = open_packed(self._pixels, part=view)
        return Pixels(self._hashes[view], len(pixels), pixels.row_bytes, pixels.__getitem__)

    def items(self, rows: np.ndarray) -> np.ndarray:
        """Return the positions of rows among those that train."""
        return self._places[rows] if self._hashes else rows

    def labels(self, rows: np.ndarray, view: int) -> np.ndarray:
        """Return the labels or masks of a view; see `Views`."""
        if self._labels is None:
            return self._prepared.targets(rows)
        return np.asarray(self._labels[view, self._places[rows]])


class FreshViews(Views):
    """Views drawn on request: a new one in each epoch, none kept."""

    def __init__(self, prepared: Prepared, policy: Policy, seed: int) -> None:
        from medtransfer.augmentation.drawers import Drawers  # importing Albumentations takes a second
        from medtransfer.augmentation.views import ViewMaker

        self._prepared, self._drawers = prepared, Drawers(ViewMaker(prepared, policy, seed))
        self._unmixed = policy.mix is None and prepared.target_masks is None
        self._view, self._learned = -1, dict[int, np.ndarray]()
        self._origin = {
            "policy": policy.model_dump(mode="json"),
            "seed": seed,
            "data": [prepared.about["pixels_sha256"], prepared.about["table_sha256"]],
            "code": module_digest("medtransfer.augmentation.views"),
        }

    def source(self, view: int) -> Pixels:
        """Return the pixels of one view of all images, with a hash of everything that determines them."""
        images = self._prepared.images
        sha256 = sha256_of_json(self._origin | {"view": view})
        return Pixels(sha256, len(images), images.row_bytes, lambda rows: self._draw(rows, view))

    def items(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows themselves."""
        return rows

    def labels(self, rows: np.ndarray, view: int) -> np.ndarray:
        """Return the labels or masks of a view, see `Views`; those of the last drawn view are in memory."""
        if self._unmixed:
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
    return FreshViews(prepared, policy, seed) if policy.views == "fresh" else StoredViews(prepared, folder)


def write_views(prepared: Prepared, policy: Policy, seed: int, folder: Path) -> dict[str, Any]:
    """Draw all kept views of all rows that train in some fold; return the contents of views.json.

    views.npy: uint8 [views, rows, size, size, channels]. labels.npy: float32 [views, rows, classes], only for mixed
    views. masks.npy: uint8 [views, rows, size, size], only for segmentation. Policies with fresh views and policies
    without transforms and mixing keep no views.
    """
    about: dict[str, Any] = {"policy": policy.model_dump(mode="json"), "view_sha256": []}
    with atomic_folder(folder) as target:
        if policy.original or policy.views == "fresh":
            about |= {"views": policy.distinct, "sha256": prepared.about["pixels_sha256"]}
        else:
            about |= {"views": policy.views, "view_sha256": _draw_all(prepared, policy, seed, target)}
            learned = [sha256_of_file(target / name) for name in (LABELS, MASKS) if (target / name).exists()]
            about["sha256"] = hashlib.sha256("".join([*about["view_sha256"], *learned]).encode()).hexdigest()
        write_json(target / ABOUT, about)
    return about


def _draw_all(prepared: Prepared, policy: Policy, seed: int, target: Path) -> list[str]:
    """Draw and write all views, the next block while one is written; return the hash of each view's pixels."""
    from medtransfer.augmentation.drawers import Drawers
    from medtransfer.augmentation.views import ViewMaker

    rows, views, size = prepared.learnable_rows, int(policy.views), max(1, BLOCK // prepared.images.row_bytes)
    blocks = [(view, rows[start : start + size]) for view in range(views) for start in range(0, len(rows), size)]
    hashes = [hashlib.sha256() for _ in range(views)]
    masked, targets = prepared.target_masks is not None, prepared.targets(rows[:1])
    learned_file = target / (MASKS if masked else LABELS)
    with (
        closing(Drawers(ViewMaker(prepared, policy, seed))) as drawers,
        progress(total=views * len(rows), desc="augment", unit="view") as bar,
        (target / PIXELS).open("wb") as pixels_out,
        learned_file.open("wb") as learned_out,
    ):
        write_npy_header(pixels_out, (views, len(rows), *prepared.images.shape[1:]))
        write_npy_header(learned_out, (views, len(rows), *targets.shape[1:]), targets.dtype)
        drawn = one_ahead(lambda block: (block[0], *drawers.draw(block[1], block[0])), blocks)
        for view, pixels, learned in drawn:
            hashes[view].update(pixels.data)
            pixels_out.write(pixels.data)
            learned_out.write(learned.data)
            bar.update(len(pixels))
    if policy.mix is None and not masked:
        learned_file.unlink()  # the labels are those of the images
    return [one.hexdigest() for one in hashes]
