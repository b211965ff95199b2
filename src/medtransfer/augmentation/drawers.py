"""Views drawn side by side in processes: a light transform is mostly Python, at whose lock threads take turns."""

from __future__ import annotations

import math
import mmap
import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np
import numpy.typing as npt

from medtransfer.augmentation.views import ViewMaker
from medtransfer.util.errors import UserError
from medtransfer.util.hardware import cpu_count

BYTES = 16_000_000
"""What is drawn at a time."""

MOST = 16
"""More processes would wait for the disk, or for the network that trains."""

PIECES = 2
"""Parts of what is drawn at a time for each process, since some views take longer than others."""


def drawer_count() -> int:
    """Say how many views are drawn side by side."""
    return min(cpu_count(), MOST)


class Sheet:
    """What drawers share: who draws, and places for so many views and what is to be learned of them."""

    def __init__(self, maker: ViewMaker) -> None:
        self.maker = maker
        (pixels, _), (learned, kind) = maker.shapes
        places = max(1, BYTES // math.prod(pixels))
        self.pixels = _shared((places, *pixels), np.uint8)
        self.learned = _shared((places, *learned), kind)


class Drawers:
    """Draws many views at once, the same bytes as `ViewMaker.draw` one by one.

    On Linux the drawers are processes, made here and as copies of this one, so that they begin at once and read the
    same images; elsewhere that is not safe, and they are threads. They end with this object, or with this process.
    """

    def __init__(self, maker: ViewMaker) -> None:
        self._sheet = Sheet(maker)
        self._pool = _start(self._sheet)
        self._pool.submit(int).result()  # makes all processes, while few threads run

    @property
    def at_once(self) -> int:
        """Say how many views are drawn at a time."""
        return len(self._sheet.pixels)

    def draw(self, rows: np.ndarray, view: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw view number `view` of some images.

        Returns uint8 pixels [rows, size, size, channels] and labels or masks [rows, ...] as `ViewMaker.draw` gives
        them. Raises `UserError` where the system killed one of the processes.
        """
        (pixels, _), (learned, kind) = self._sheet.maker.shapes
        images: np.ndarray = np.empty((len(rows), *pixels), np.uint8)
        targets: np.ndarray = np.empty((len(rows), *learned), kind)
        for start in range(0, len(rows), self.at_once):
            some = rows[start : start + self.at_once]
            self._fill(some, view)
            images[start : start + len(some)] = self._sheet.pixels[: len(some)]
            targets[start : start + len(some)] = self._sheet.learned[: len(some)]
        return images, targets

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)

    def _fill(self, rows: np.ndarray, view: int) -> None:
        places = np.array_split(np.arange(len(rows)), min(len(rows), PIECES * drawer_count()))
        try:
            waiting = [self._pool.submit(_draw, int(some[0]), rows[some].tolist(), view) for some in places]
            for piece in wait(waiting).done:
                piece.result()
        except BrokenProcessPool:
            raise UserError(
                "augmentation: the system ended a process that draws views, most often for want of memory; free some, "
                "or take a smaller data.image_size, and run again"
            ) from None


_here = threading.local()
"""Of a drawer, be it a process or a thread: its sheet."""


def _start(sheet: Sheet) -> Executor:
    if sys.platform != "linux":
        return ThreadPoolExecutor(drawer_count(), initializer=_sit_down, initargs=(sheet,))
    fork = multiprocessing.get_context("fork")
    return ProcessPoolExecutor(drawer_count(), mp_context=fork, initializer=_begin, initargs=(sheet,))


def _begin(sheet: Sheet) -> None:
    """Make a process a drawer: it ends when it is told to, and when the process that made it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _sit_down(sheet)


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def _sit_down(sheet: Sheet) -> None:
    _here.sheet = sheet


def _draw(start: int, rows: list[int], view: int) -> None:
    sheet: Sheet = _here.sheet
    for place, row in enumerate(rows, start):
        sheet.pixels[place], sheet.learned[place] = sheet.maker.draw(row, view)


def _shared(shape: tuple[int, ...], kind: npt.DTypeLike) -> np.ndarray[Any, Any]:
    """Make an array in memory that processes forked from this one write to as well."""
    memory = mmap.mmap(-1, math.prod(shape) * np.dtype(kind).itemsize)
    return np.frombuffer(memory, kind).reshape(shape)
