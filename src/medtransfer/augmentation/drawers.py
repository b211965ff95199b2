"""Draw views in several processes: light transforms are mostly Python, and threads would wait for its lock."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from itertools import repeat

import numpy as np

from medtransfer.augmentation.views import ViewMaker
from medtransfer.util.errors import UserError
from medtransfer.util.hardware import cpu_count

MOST = 16
"""More processes would wait for the disk, or for the network that trains."""

PIECES = 2
"""Parts of a call's rows for each process, since some views take longer than others."""


def drawer_count() -> int:
    """Return the number of views that are drawn at the same time."""
    return min(cpu_count(), MOST)


class Drawers:
    """Draw many views at once, with the same bytes as `ViewMaker.draw`.

    On Linux the drawers are forked processes, which start at once and share the images; on other systems forking is
    not safe, and without /dev/shm it is not possible: there they are threads. They end with this object or with this
    process. A torch DataLoader draws the same views, but needs memory in /dev/shm and a new iterator for each call,
    which fresh views make once per batch: it takes 1.5 times as long for a whole view, and 11 times batch by batch
    (`benchmarks/against_libraries.py`).
    """

    def __init__(self, maker: ViewMaker) -> None:
        self._pool = _start(maker)
        self._pool.submit(int).result()  # starts all processes now, while few threads run

    def draw(self, rows: np.ndarray, view: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw view number `view` of some images.

        Returns uint8 pixels [rows, size, size, channels] and labels or masks [rows, ...]; see `ViewMaker.draw`.
        Raises `UserError` if the system killed one of the processes.
        """
        pieces = np.array_split(rows, min(len(rows), PIECES * drawer_count()))
        try:
            drawn = list(self._pool.map(_draw, pieces, repeat(view)))
        except BrokenProcessPool:
            raise UserError(
                "augmentation: the system killed a process that draws views, probably because memory ran out; free "
                "some memory or use a smaller data.image_size, and run again"
            ) from None
        pixels, learned = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
        return pixels, learned

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)


_here = threading.local()
"""The `maker` of a drawer, be it a process or a thread."""


def _start(maker: ViewMaker) -> Executor:
    if sys.platform == "linux":
        fork = multiprocessing.get_context("fork")
        with suppress(OSError):  # no semaphores, because /dev/shm is missing, full or read-only
            return ProcessPoolExecutor(drawer_count(), mp_context=fork, initializer=_begin, initargs=(maker,))
    return ThreadPoolExecutor(drawer_count(), initializer=_set_maker, initargs=(maker,))


def _set_maker(maker: ViewMaker) -> None:
    _here.maker = maker


def _begin(maker: ViewMaker) -> None:
    """Prepare a process to draw, and to end on request or when its parent has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _set_maker(maker)


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def _draw(rows: np.ndarray, view: int) -> tuple[np.ndarray, np.ndarray]:
    pixels, learned = zip(*(_here.maker.draw(row, view) for row in rows.tolist()), strict=True)
    return np.stack(pixels), np.stack(learned)
