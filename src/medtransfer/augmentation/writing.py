"""Views drawn once for all variants and kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from medtransfer.augmentation.store import ABOUT, LABELS, MASKS, PIXELS
from medtransfer.dataset.prepared import Prepared
from medtransfer.files import atomic_folder, sha256_of_file, write_json
from medtransfer.overlap import one_ahead
from medtransfer.progress import progress
from medtransfer.study import Policy


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
        _write_header(pixels_file, shape)
        _write_header(mask_file, shape[:-1])
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


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
