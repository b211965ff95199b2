"""Packed images: one uint8 array on disk, written in order and read row by row."""

from __future__ import annotations

import itertools
import math
import operator
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

IGNORED = 255
"""The number, in a mask, of pixels that are left out of loss and metrics."""


class Packed:
    """A uint8 array of `shape` [n, ...] in a file, from byte `start` on; only the rows asked for are read.

    Reading leaves the position of the file unchanged, so threads may share it. A memory-mapped array would do as well,
    but pages that were read once count as memory of the process from then on, in the end the whole set.
    """

    def __init__(self, path: Path, start: int, shape: tuple[int, ...]) -> None:
        self.shape, self._start = shape, start
        self._file = path.open("rb", buffering=0)
        self.row_bytes = math.prod(shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Read a row, or the rows that an array of numbers, a mask or a slice selects, into a new array."""
        if np.ndim(rows) == 0 and not isinstance(rows, slice):
            return self._read(range(len(self))[operator.index(rows)], 1)[0]
        if isinstance(rows, slice) and rows.step in (None, 1):
            start, stop, _ = rows.indices(len(self))
            return self._read(start, max(stop - start, 0))
        chosen = np.arange(len(self))[rows]
        found = np.empty((len(chosen), *self.shape[1:]), np.uint8)
        for start, stop in runs(chosen):
            self._fill(found[start:stop], int(chosen[start]))
        return found

    def _read(self, start: int, count: int) -> np.ndarray:
        found = np.empty((count, *self.shape[1:]), np.uint8)
        self._fill(found, start)
        return found

    def _fill(self, target: np.ndarray, row: int) -> None:
        """Fill the contiguous array `target` with the rows from `row` on."""
        left, place = target.reshape(-1).data, self._start + row * self.row_bytes
        while len(left):
            count = os.preadv(self._file.fileno(), [left], place)
            if not count:
                raise EOFError(f"{self._file.name}: ends before row {row}")
            left, place = left[count:], place + count


def runs(rows: np.ndarray) -> list[tuple[int, int]]:
    """Return the ranges [start, stop) in which row numbers [n] are consecutive, to be read or written at once."""
    breaks = (np.flatnonzero(np.diff(rows) != 1) + 1).tolist()
    return list(itertools.pairwise([0, *breaks, len(rows)])) if len(rows) else []


Images = np.ndarray | Packed
"""Packed images uint8 [n, size, size, channels], in memory or on disk."""


def open_packed(path: Path, part: int | None = None) -> Packed:
    """Open a .npy file of uint8, or one row of it, number `part`, as an array."""
    mapped = np.load(path, mmap_mode="r")
    if mapped.dtype != np.uint8:
        raise TypeError(f"{path}: expected uint8, but got {mapped.dtype}")
    if part is None:
        return Packed(path, mapped.offset, mapped.shape)
    return Packed(path, mapped.offset + part * mapped[0].size, mapped.shape[1:])


def without_ignored(masks: np.ndarray) -> np.ndarray:
    """Return class numbers, uint8, with ignored pixels as background."""
    return np.where(masks == IGNORED, np.uint8(0), masks)


def write_npy_header(file: BinaryIO, shape: tuple[int, ...], kind: npt.DTypeLike = np.uint8) -> None:
    """Write the header of a .npy file of that shape; its rows are then written as plain bytes."""
    descr = np.lib.format.dtype_to_descr(np.dtype(kind))
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})


@dataclass(frozen=True)
class Pixels:
    """The images of one array: the hash of all, their number, the bytes of one, and a function that reads some.

    read: item numbers [n] to uint8 [n, size, size, channels].
    """

    sha256: str
    count: int
    row_bytes: int
    read: Callable[[np.ndarray], np.ndarray]


CHUNK = 256
Triple = tuple[float, float, float]


def pixel_statistics(images: Images, rows: np.ndarray) -> tuple[Triple, Triple]:
    """Return the mean and the standard deviation over all pixels of `rows`, for three channels, in [0, 1]."""
    counts = np.zeros((images.shape[-1], 256), dtype=np.int64)
    for start in range(0, len(rows), CHUNK):
        block = images[rows[start : start + CHUNK]]
        for channel in range(images.shape[-1]):
            counts[channel] += np.bincount(block[..., channel].ravel(), minlength=256)
    levels, shares = np.arange(256) / 255.0, counts / counts.sum(axis=1, keepdims=True)
    mean = shares @ levels
    std = np.sqrt(np.maximum(shares @ levels**2 - mean**2, 1e-12))
    repeat = 3 // images.shape[-1]
    return _triple(np.repeat(mean, repeat)), _triple(np.repeat(std, repeat))


def _triple(values: np.ndarray) -> Triple:
    first, second, third = (float(value) for value in values)
    return first, second, third
