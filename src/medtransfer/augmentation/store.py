"""Views as training reads them: kept on disk, shared by all variants, or drawn anew each epoch; Views drawn once for all variants and kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from medtransfer.data.images.packed import Pixels, open_packed, write_npy_header
from medtransfer.data.prepared import Prepared
from medtransfer.study import Policy
from medtransfer.util.digests import module_digest
from medtransfer.util.files import atomic_folder, sha256_of_file, sha256_of_json, write_json
from medtransfer.util.progress import one_ahead, progress

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
            "code": module_digest("medtransfer.augmentation.views"),
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


def write_views(prepared: Prepared, policy: Policy, seed: int, folder: Path) -> dict[str, Any]:
    """Draw every kept view of every row that trains in some fold; return what was written.

    views.npy: uint8 [views, rows, size, size, channels]. labels.npy: float32 [views, rows, classes], only
    for mixed views; for segmentation masks.npy: uint8 [views, rows, size, size]. A policy without transforms and
    mixing keeps nothing, nor does one with fresh views.
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
    """Draw and write all views; give the hash of each view's pixels."""
    rows, views = prepared.learnable_rows, int(policy.views)
    shape = (views, len(rows), *prepared.images.shape[1:])
    masked = prepared.target_masks is not None
    labels = np.zeros((*shape[:2], len(prepared.classes)), dtype=np.float32)
    hashes = [hashlib.sha256() for _ in range(views)]

    def hashed(block: _Block) -> _Block:
        hashes[block.view].update(block.pixels.data)
        return block

    blocks = one_ahead(hashed, _drawn_in_blocks(prepared, policy, seed))
    with (
        progress(total=views * len(rows), desc="augment", unit="view") as bar,
        (target / PIXELS).open("wb") as pixels_file,
        (target / MASKS).open("wb") as mask_file,
    ):
        write_npy_header(pixels_file, shape)
        write_npy_header(mask_file, shape[:-1])
        for block in blocks:
            pixels_file.write(block.pixels.data)
            if masked:
                mask_file.write(block.learned.data)
            else:
                labels[block.view, block.start : block.start + len(block.learned)] = block.learned
            bar.update(len(block.pixels))
    if not masked:
        (target / MASKS).unlink()
    if policy.mix is not None and not masked:
        np.save(target / LABELS, labels)
    return [one.hexdigest() for one in hashes]


class _Block(NamedTuple):
    """One view of some images in a row, from place `start` among those that train on."""

    view: int
    start: int
    pixels: np.ndarray
    learned: np.ndarray


def _drawn_in_blocks(prepared: Prepared, policy: Policy, seed: int) -> Iterator[_Block]:
    """Draw all views in order, the next ones while those before are used."""
    from medtransfer.augmentation.drawers import Drawers
    from medtransfer.augmentation.views import ViewMaker

    rows = prepared.learnable_rows
    with closing(Drawers(ViewMaker(prepared, policy, seed))) as drawers:
        size = drawers.at_once
        places = [(view, start) for view in range(int(policy.views)) for start in range(0, len(rows), size)]
        drawn = one_ahead(lambda place: drawers.draw(rows[place[1] :][:size], place[0]), places)
        for place, block in zip(places, drawn, strict=True):
            yield _Block(*place, *block)


