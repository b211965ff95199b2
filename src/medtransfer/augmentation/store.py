"""Views as training reads them: kept on disk, shared by all variants, or drawn anew each epoch."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from medtransfer.dataset.prepared import Prepared
from medtransfer.files import atomic_folder, sha256_of_folder, write_json
from medtransfer.hardware import cpu_count
from medtransfer.progress import progress
from medtransfer.study import Policy

PIXELS, LABELS, MASKS, ABOUT = "views.npy", "labels.npy", "masks.npy", "views.json"
CHUNK = 512


class Views(Protocol):
    """Augmented training images by row of the prepared table and epoch."""

    count: int | None
    """How many distinct views an image has; None where every epoch's is new."""

    def view_of(self, epoch: int) -> int:
        """Give the number of the view that `epoch` trains on."""

    def pixels(self, rows: np.ndarray, view: int) -> np.ndarray:
        """Give uint8 [rows, size, size, channels]."""

    def labels(self, rows: np.ndarray, view: int) -> np.ndarray:
        """Give what is to be learned: label shares float32 [rows, classes], or masks uint8 [rows, size, size]."""


class StoredViews:
    """Views that `write_views` kept, or, for a policy that changes nothing, the prepared images themselves."""

    def __init__(self, prepared: Prepared, folder: Path) -> None:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        self.count: int | None = about["views"]
        self.sha256: str = about["sha256"]
        self._original = about["kept"] == "original"
        self._prepared = prepared
        self._position = np.full(len(prepared.table), -1)
        rows = prepared.learnable_rows()
        self._position[rows] = np.arange(len(rows))
        if self._original:
            self._flat = prepared.images
        else:
            pixels = np.load(folder / PIXELS, mmap_mode="r")
            self._flat = pixels.reshape(-1, *pixels.shape[2:])
        kept = [folder / name for name in (LABELS, MASKS) if (folder / name).exists()]
        self._labels = np.load(kept[0], mmap_mode="r") if kept else None

    def view_of(self, epoch: int) -> int:
        """Give the number of the view that `epoch` trains on: they take turns."""
        return epoch % self.count if self.count else epoch

    def pixels(self, rows: np.ndarray, view: int) -> np.ndarray:
        """Give uint8 [rows, size, size, channels]."""
        return self.item_pixels(self.items(rows, view))

    def items(self, rows: np.ndarray, view: np.ndarray | int) -> np.ndarray:
        """Number the views through: the item of each row's view in the array that holds it."""
        if self._original:
            return rows
        return np.asarray(self._position[rows] * (self.count or 1) + view)

    def item_pixels(self, items: np.ndarray) -> np.ndarray:
        """Give uint8 [items, size, size, channels] of views numbered through."""
        return np.asarray(self._flat[items])

    @property
    def item_count(self) -> int:
        """Count the items of the array."""
        return len(self._flat)

    def labels(self, rows: np.ndarray, view: int) -> np.ndarray:
        """Give what is to be learned of a view: see `Views`."""
        if self._labels is None:
            return self._prepared.targets(rows)
        return np.asarray(self._labels[self._position[rows], view])


class FreshViews:
    """Views drawn when they are asked for: a new one every epoch, none kept."""

    def __init__(self, prepared: Prepared, policy: Policy, seed: int) -> None:
        from medtransfer.augmentation.views import ViewMaker  # Albumentations takes a second to import

        self.count: int | None = None
        self._maker = ViewMaker(prepared, policy, seed)
        self._pool = ThreadPoolExecutor(cpu_count())
        self._drawn: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}

    def view_of(self, epoch: int) -> int:
        """Give the epoch itself."""
        return epoch

    def pixels(self, rows: np.ndarray, view: int) -> np.ndarray:
        """Draw and give uint8 [rows, size, size, channels]; their labels are kept for `labels`."""
        drawn = list(self._pool.map(lambda row: self._maker.draw(int(row), view), rows))
        self._drawn = {(int(row), view): item for row, item in zip(rows, drawn, strict=True)}
        return np.stack([pixels for pixels, _ in drawn])

    def labels(self, rows: np.ndarray, view: int) -> np.ndarray:
        """Give what is to be learned of the rows that `pixels` drew last: see `Views`."""
        return np.stack([self._drawn[int(row), view][1] for row in rows])


def open_views(prepared: Prepared, folder: Path, policy: Policy, seed: int) -> Views:
    """Open the views of a policy, kept or fresh."""
    if policy.views == "fresh":
        return FreshViews(prepared, policy, seed)
    return StoredViews(prepared, folder)


def write_views(prepared: Prepared, policy: Policy, seed: int, folder: Path) -> dict[str, Any]:
    """Draw every kept view of every row that trains in some fold; return what was written.

    views.npy: uint8 [rows, views, size, size, channels]. labels.npy: float32 [rows, views, classes], only
    for mixed views; for segmentation masks.npy: uint8 [rows, views, size, size]. A policy without transforms and
    mixing keeps nothing, nor does one with fresh views.
    """
    original = not policy.transforms and policy.mix is None
    about: dict[str, Any] = {"policy": policy.model_dump(mode="json")}
    with atomic_folder(folder) as target:
        if original or policy.views == "fresh":
            about |= {"views": 1 if original else None, "kept": "original" if original else "nothing"}
            about["sha256"] = prepared.about["pixels_sha256"]
        else:
            _draw_all(prepared, policy, seed, target)
            about |= {"views": policy.views, "kept": "views", "sha256": sha256_of_folder(target)}
        write_json(target / ABOUT, about)
    return about


def _draw_all(prepared: Prepared, policy: Policy, seed: int, target: Path) -> None:
    from medtransfer.augmentation.views import ViewMaker

    maker = ViewMaker(prepared, policy, seed)
    rows, views = prepared.learnable_rows(), int(policy.views)
    shape = (len(rows), views, *prepared.images.shape[1:])
    pixels = np.lib.format.open_memmap(target / PIXELS, "w+", np.uint8, shape)
    masked = prepared.target_masks is not None
    if masked:
        labels: np.ndarray = np.lib.format.open_memmap(target / MASKS, "w+", np.uint8, shape[:-1])
    else:
        labels = np.zeros((len(rows), views, len(prepared.classes)), dtype=np.float32)
    jobs = [(position, view) for position in range(len(rows)) for view in range(views)]
    with (
        progress(total=len(jobs), desc="augment", unit="view") as bar,
        ThreadPoolExecutor(cpu_count()) as pool,
    ):

        def draw(job: tuple[int, int]) -> None:
            position, view = job
            pixels[position, view], labels[position, view] = maker.draw(int(rows[position]), view)

        for start in range(0, len(jobs), CHUNK):
            chunk = jobs[start : start + CHUNK]
            list(pool.map(draw, chunk))
            bar.update(len(chunk))
    pixels.flush()
    if policy.mix is not None and not masked:
        np.save(target / LABELS, labels)
