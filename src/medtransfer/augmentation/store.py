"""Views for training: drawn when they are read, or kept where that is worth it; their bytes are the same both ways."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np

from medtransfer.data.images.packed import Pixels, open_packed, write_npy_header
from medtransfer.data.prepared import Prepared
from medtransfer.study import Policy
from medtransfer.util.digests import module_digest
from medtransfer.util.disk_cache import evict, fits, lock_of
from medtransfer.util.files import atomic_folder, measured, sha256_of_json, write_json
from medtransfer.util.places import cache_folder, state_folder
from medtransfer.util.progress import one_ahead, progress

if TYPE_CHECKING:
    from medtransfer.augmentation.drawers import Drawers

PIXELS, LEARNED, ABOUT = "views.npy", "learned.npy", "views.json"
CACHE = "features"
"""The folder, in the user's cache, of all that is kept under one limit."""

WORTH = 4.0
"""Views are kept if drawing takes this many times as long as reading: they take up the space of features."""

SAMPLE = 64
"""The number of views by which both are measured."""

BLOCK = 16_000_000
"""Bytes of pixels that are drawn at once and then written."""


class Views(ABC):
    """Augmented training images by row of the prepared table and epoch."""

    count: int | None = None
    """Number of distinct views per image, which take turns; None if each epoch has a new one."""

    sha256: str
    """The hash of all that determines them."""

    def view_of(self, epoch: int) -> int:
        """Return the number of the view of an epoch."""
        return epoch % self.count if self.count else epoch

    @abstractmethod
    def source(self, view: int) -> Pixels:
        """Return the pixels of one view of all images, indexed by their rows in the prepared table."""

    @abstractmethod
    def labels(self, rows: np.ndarray, view: int) -> np.ndarray:
        """Return label shares float32 [rows, classes], or for segmentation masks uint8 [rows, size, size]."""


def view_pixels(views: Views, rows: np.ndarray, view: int) -> np.ndarray:
    """Return one view of rows, uint8 [rows, size, size, channels]."""
    return views.source(view).read(rows)


class OriginalViews(Views):
    """The prepared images themselves, for a policy that changes nothing."""

    count = 1

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self.sha256 = str(prepared.about["pixels_sha256"])

    def source(self, view: int) -> Pixels:
        """Return the pixels of the images."""
        return self._prepared.pixels

    def labels(self, rows: np.ndarray, view: int) -> np.ndarray:
        """Return the labels or masks of the images; see `Views`."""
        return self._prepared.targets(rows)


class DrawnViews(Views):
    """Views by their definition: read where they are kept, else drawn.

    folder: where they are kept, if they are.
    """

    def __init__(self, prepared: Prepared, policy: Policy, seed: int) -> None:
        self.count = policy.distinct
        self.prepared, self.policy, self._seed = prepared, policy, seed
        self._origin: dict[str, Any] = {
            "policy": policy.model_dump(mode="json", exclude={"views"}),
            "seed": seed,
            "data": [prepared.about["pixels_sha256"], prepared.about["table_sha256"]],
            "code": module_digest("medtransfer.augmentation.views"),
        }
        if prepared.target_masks is not None:
            self._origin["data"].append(prepared.about["masks"]["sha256"])
        self.sha256 = sha256_of_json(self._origin | {"views": self.count})
        self.folder = cache_folder() / CACHE / f"views-{self.sha256[:32]}"
        self._places = np.full(len(prepared.table), -1)
        self._places[prepared.learnable_rows] = np.arange(len(prepared.learnable_rows))
        self._view, self._learned = -1, dict[int, np.ndarray]()

    @property
    def hard(self) -> bool:
        """Whether a view has the label of its image."""
        return self.policy.mix is None and self.prepared.target_masks is None

    @cached_property
    def drawers(self) -> Drawers:
        """The maker of the views; raises `UserError` if the policy does not fit the images."""
        from medtransfer.augmentation.drawers import Drawers  # importing Albumentations takes half a second
        from medtransfer.augmentation.views import ViewMaker

        return Drawers(ViewMaker(self.prepared, self.policy, self._seed))

    def source(self, view: int) -> Pixels:
        """Return the pixels of one view of all images, with a hash of everything that determines them."""
        images, kept = self.prepared.images, None
        with suppress(FileNotFoundError):  # views that are not kept, or were deleted
            kept = open_packed(self.folder / PIXELS, part=view)
            os.utime(self.folder)  # last used now: see `evict`

        def read(rows: np.ndarray) -> np.ndarray:
            places = self._places[rows]
            return self._draw(rows, view) if kept is None or (places < 0).any() else kept[places]

        return Pixels(sha256_of_json(self._origin | {"view": view}), len(images), images.row_bytes, read)

    def labels(self, rows: np.ndarray, view: int) -> np.ndarray:
        """Return the labels or masks of a view, see `Views`.

        Mixed labels of the last drawn view, and masks of the last drawn rows, are in memory.
        """
        if self.hard:
            return self.prepared.targets(rows)
        places = self._places[rows]
        if self._kept_labels is not None and (places >= 0).all():
            return np.asarray(self._kept_labels[view, places])
        missing = [row for row in rows.tolist() if view != self._view or row not in self._learned]
        if missing:
            self._draw(np.array(missing), view)
        return np.stack([self._learned[row] for row in rows.tolist()])

    @cached_property
    def _kept_labels(self) -> np.ndarray | None:
        with suppress(FileNotFoundError):
            return np.asarray(np.load(self.folder / LEARNED, mmap_mode="r"))
        return None

    def _draw(self, rows: np.ndarray, view: int) -> np.ndarray:
        pixels, learned = self.drawers.draw(rows, view)
        if view != self._view or self.prepared.target_masks is not None:  # masks of a whole view may fill the memory
            self._view, self._learned = view, {}
        self._learned |= zip(rows.tolist(), learned, strict=True)
        return pixels


def open_views(prepared: Prepared, policy: Policy, seed: int) -> Views:
    """Open the views of a policy, kept or not."""
    return OriginalViews(prepared) if policy.original else DrawnViews(prepared, policy, seed)


def write_views(prepared: Prepared, policy: Policy, seed: int, folder: Path) -> dict[str, Any]:
    """Write what determines the views of a policy, and keep them if that is worth it; return the former.

    It is the input of training: whether views are kept is a matter of time and disk space, and of no result.
    """
    views = open_views(prepared, policy, seed)
    if isinstance(views, DrawnViews):
        keep_if_worth(views)
    about = {"policy": policy.model_dump(mode="json"), "views": views.count, "sha256": views.sha256}
    with atomic_folder(folder) as target:
        write_json(target / ABOUT, about)
    return about


def keep_if_worth(views: DrawnViews) -> None:
    """Draw and keep all views of all rows that train in some fold, where that is worth it and within the limit.

    views.npy: uint8 [views, rows, size, size, channels]. learned.npy, of mixed views and of masks: float32 [views,
    rows, outputs] or uint8 [views, rows, size, size].
    """
    drawers = views.drawers  # raises an error of the policy, whether views are kept or not
    if views.count is None or views.folder.exists():
        return
    rows, images, root = len(views.prepared.learnable_rows), views.prepared.images, views.folder.parent
    needed = views.count * rows * images.row_bytes
    if not fits(root, needed):
        return
    cost = measured("view_costs", {"views": views.sha256}, lambda: _costs(views, drawers))
    # Mixing decides on labels, too, which training needs even if all features are cached.
    if views.policy.mix is None and cost["draw_ms"] < WORTH * cost["read_ms"]:
        return
    evict(root, needed, set())
    with lock_of(views.folder), atomic_folder(views.folder) as target:
        _draw_all(views, drawers, target)


def _costs(views: DrawnViews, drawers: Drawers) -> dict[str, float]:
    """Measure the milliseconds to draw one view, and to read it from the disk."""
    rows = np.resize(views.prepared.learnable_rows, SAMPLE)
    started = time.perf_counter()
    pixels, _ = drawers.draw(rows, 0)
    drawn = time.perf_counter() - started
    with TemporaryFile(dir=state_folder()) as file:
        file.write(pixels.data)
        file.flush()
        os.fsync(file.fileno())
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # not from the memory of the system
        started = time.perf_counter()
        os.pread(file.fileno(), pixels.nbytes, 0)
        read = time.perf_counter() - started
    return {"draw_ms": 1000 * drawn / SAMPLE, "read_ms": 1000 * read / SAMPLE}


def _draw_all(views: DrawnViews, drawers: Drawers, target: Path) -> None:
    """Draw and write all views, the next block while one is written."""
    prepared, count = views.prepared, int(views.count or 1)
    rows, size = prepared.learnable_rows, max(1, BLOCK // prepared.images.row_bytes)
    blocks = [(view, rows[start : start + size]) for view in range(count) for start in range(0, len(rows), size)]
    targets = prepared.targets(rows[:1])
    with (
        progress(total=count * len(rows), desc="augment", unit="view") as bar,
        (target / PIXELS).open("wb") as pixels_out,
        (target / LEARNED).open("wb") as learned_out,
    ):
        write_npy_header(pixels_out, (count, len(rows), *prepared.images.shape[1:]))
        write_npy_header(learned_out, (count, len(rows), *targets.shape[1:]), targets.dtype)
        for pixels, learned in one_ahead(lambda block: drawers.draw(block[1], block[0]), blocks):
            pixels_out.write(pixels.data)
            learned_out.write(learned.data)
            bar.update(len(pixels))
    if views.hard:
        (target / LEARNED).unlink()  # the labels are those of the images
