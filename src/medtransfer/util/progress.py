"""Progress bars, notices, and threads that work ahead."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from medtransfer.util.hardware import cpu_count

CHUNK = 256
"""Calls that `in_threads` has waiting at most; a million of them would fill the memory."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def progress(total: int | None, desc: str, unit: str, initial: int = 0) -> tqdm[Any]:
    """Open a progress bar on standard error; silent unless that is a terminal. Bytes (`B`) are shown as kB and MB."""
    return tqdm(
        total=total,
        desc=desc,
        unit=unit,
        unit_scale=unit == "B",
        initial=initial,
        disable=not sys.stderr.isatty() and "MEDTRANSFER_BARS" not in os.environ,
        dynamic_ncols=True,
        leave=False,
    )


def notice(text: str) -> None:
    """Write a line to standard error without breaking an open progress bar."""
    tqdm.write(text, file=sys.stderr)


def in_threads(function: Callable[[Item], Result], items: Sequence[Item], desc: str, unit: str) -> Iterator[Result]:
    """Yield the results of `function` for all items in order, computed in one thread per CPU core, with a bar."""
    with progress(total=len(items), desc=desc, unit=unit) as bar, ThreadPoolExecutor(cpu_count()) as pool:
        for start in range(0, len(items), CHUNK):
            for result in pool.map(function, items[start : start + CHUNK]):
                yield result
                bar.update()


def in_parallel(function: Callable[..., Result], *items: Iterable[Any]) -> list[Result]:
    """Return the results of `function` for all items, computed in one thread per CPU core.

    Arrays are not divided among further threads, which would sum in another order.
    """
    with threadpool_limits(1), ThreadPoolExecutor(cpu_count()) as pool:
        return list(pool.map(function, *items))


def one_ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield the results of `function` in order; a thread computes the next one while the caller uses the last."""
    with ThreadPoolExecutor(1) as pool:
        waiting = None
        for item in items:
            following = pool.submit(function, item)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()


def one_behind(items: Iterable[Item]) -> Iterator[Item]:
    """Yield each item after the next one was requested, so that work started for it can continue meanwhile."""
    held: list[Item] = []
    for item in items:
        yield from held
        held = [item]
    yield from held
