"""All images of a set, decoded side by side and packed into one uint8 array on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from medtransfer.dataset.decode import Decoded, Resize, UnreadableImageError, decode
from medtransfer.dataset.dicom import dicom_problem
from medtransfer.errors import UserError
from medtransfer.hardware import cpu_count
from medtransfer.progress import progress

CHUNK = 256


def pack(root: Path, paths: Sequence[str], size: int, resize: Resize, target: Path) -> pd.DataFrame:
    """Decode `paths` (relative to `root`) into `target`, a .npy file, and describe each.

    The array is uint8, [images, size, size, channels], with one channel where every image is grey and three
    where one is not. Returns a row an image in the order of `paths`: sha256, phash, width, height, mode.
    Raises `UserError` that lists all unreadable files, or one line where DICOM files are there but pydicom is
    not. Memory holds a few hundred images at a time.
    """
    if missing := dicom_problem(paths):
        raise UserError(missing)
    unreadable: list[str] = []
    described: list[dict[str, object]] = []
    colour = False
    shape = (len(paths), size, size, 3)
    scratch = np.lib.format.open_memmap(target.with_suffix(".rgb.npy"), "w+", np.uint8, shape)
    for row, item in enumerate(_decode_all(root, paths, size, resize)):
        if isinstance(item, UnreadableImageError):
            unreadable.append(f"{paths[row]}: unreadable: {str(item).split(': ', 1)[-1]}")
            continue
        grey = item.pixels.ndim == 2
        colour |= not grey
        scratch[row] = item.pixels[..., None] if grey else item.pixels
        described.append(
            {
                "sha256": item.sha256,
                "phash": item.phash,
                "width": item.width,
                "height": item.height,
                "mode": item.mode,
            }
        )
    scratch.flush()
    if not unreadable:
        _keep_channels(scratch, 3 if colour else 1, target)
    del scratch
    target.with_suffix(".rgb.npy").unlink()
    if unreadable:
        raise UserError(unreadable)
    return pd.DataFrame(described)


def repack(path: Path, rows: np.ndarray) -> None:
    """Keep only `rows` of a packed array, in place."""
    smaller = np.load(path, mmap_mode="r")[rows]
    np.save(path, smaller)


def _decode_all(
    root: Path, paths: Sequence[str], size: int, resize: Resize
) -> Iterator[Decoded | UnreadableImageError]:
    def one(path: str) -> Decoded | UnreadableImageError:
        try:
            return decode(root / path, size, resize)
        except UnreadableImageError as error:
            return error

    bar = progress(total=len(paths), desc="prepare", unit="image")
    with bar, ThreadPoolExecutor(cpu_count()) as pool:
        for start in range(0, len(paths), CHUNK):
            for item in pool.map(one, paths[start : start + CHUNK]):
                yield item
                bar.update()


def _keep_channels(scratch: np.ndarray, channels: int, target: Path) -> None:
    packed = np.lib.format.open_memmap(target, "w+", np.uint8, (*scratch.shape[:3], channels))
    for start in range(0, len(scratch), CHUNK):
        packed[start : start + CHUNK] = scratch[start : start + CHUNK, ..., :channels]
    packed.flush()
