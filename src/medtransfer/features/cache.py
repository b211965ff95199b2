"""Cached features on disk: one file of rows per array of images and frozen prefix."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from medtransfer.data.images.packed import Packed, runs
from medtransfer.util.disk_cache import lock_of
from medtransfer.util.files import atomic_file, write_json
from medtransfer.util.progress import progress

ROWS, DONE, KEY = "rows.bin", "done.npy", "key.json"
FLUSH_SECONDS = 5.0
PAGE = 4096

ComputeRows = Callable[[Sequence[np.ndarray]], Iterable[np.ndarray]]
"""Map batches of item numbers [n] to their rows, uint8 [n, row_bytes], one after another."""


class FeatureCache:
    """Rows of `row_bytes` bytes for the `count` images of an array, computed on demand.

    A row is marked as done once it is on disk, so that a killed process loses at most the rows of the last five
    seconds; processes that need the same rows wait for each other rather than compute them twice. The folder may be
    deleted at any time: a process that has it open keeps its rows, and later calls fill it again.
    """

    def __init__(self, folder: Path, key: dict[str, Any], count: int, row_bytes: int) -> None:
        self._folder, self._key, self._count, self._row_bytes = folder, key, count, row_bytes

    def missing(self, items: np.ndarray) -> np.ndarray:
        """List the items, each once, whose rows are not on disk yet."""
        return np.unique(items[~self._read_done()[items]])

    def rows(self, items: np.ndarray, batch: int, compute: ComputeRows) -> np.ndarray | Packed:
        """Open the whole file, uint8 [count, row_bytes], with the rows of `items` in it.

        Missing ones are computed in batches of at most `batch`.
        """
        if not len(self.missing(items)):
            with suppress(FileNotFoundError):  # deleted since
                return self._open()
        with lock_of(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            done = self._read_done()
            missing = np.unique(items[~done[items]])
            if len(missing):
                self._fill(missing, done, batch, compute)
            return self._open()

    def _open(self) -> np.ndarray | Packed:
        """Map short rows into memory, of which a batch takes many; long ones are read."""
        os.utime(self._folder)  # last used now: see `evict`
        shape = (self._count, self._row_bytes)
        if self._row_bytes < PAGE:
            return np.asarray(np.memmap(self._folder / ROWS, np.uint8, "r", shape=shape))
        return Packed(self._folder / ROWS, 0, shape)

    def _fill(self, missing: np.ndarray, done: np.ndarray, batch: int, compute: ComputeRows) -> None:
        write_json(self._folder / KEY, self._key)
        path = self._folder / ROWS
        path.touch()
        flushed, pending = time.monotonic(), []
        with progress(total=len(missing), desc="features", unit="view") as bar, path.open("r+b") as file:
            file.truncate(self._count * self._row_bytes)
            batches = [missing[start : start + batch] for start in range(0, len(missing), batch)]
            for items, rows in zip(batches, compute(batches), strict=True):
                packed = np.ascontiguousarray(rows)
                for first, stop in runs(items):
                    os.pwrite(file.fileno(), packed[first:stop].data, int(items[first]) * self._row_bytes)
                pending.append(items)
                bar.update(len(items))
                if items is batches[-1] or time.monotonic() - flushed > FLUSH_SECONDS:
                    os.fsync(file.fileno())
                    done[np.concatenate(pending)] = True
                    with atomic_file(self._folder / DONE) as temporary:
                        np.save(temporary, done)
                    flushed, pending = time.monotonic(), []

    def _read_done(self) -> np.ndarray:
        if (self._folder / DONE).exists() and (self._folder / ROWS).exists():
            return np.asarray(np.load(self._folder / DONE))
        return np.zeros(self._count, np.bool_)
