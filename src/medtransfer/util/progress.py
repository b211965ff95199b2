"""Progress bars and short notices: bars show on a terminal what is left, elsewhere they stay quiet; Work on the next item while the result of the one before is used."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from tqdm import tqdm

from medtransfer.util.hardware import cpu_count

CHUNK = 256

Item = TypeVar("Item")
Result = TypeVar("Result")


def progress(total: int | None, desc: str, unit: str, initial: int = 0) -> tqdm[Any]:
    """Open a bar of `total` steps on standard error, silent where nobody sees it; bytes (`B`) read as kB, MB."""
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
    """Write a line to standard error without breaking a bar that is open."""
    tqdm.write(text, file=sys.stderr)


def in_threads(function: Callable[[Item], Result], items: Sequence[Item], desc: str, unit: str) -> Iterator[Result]:
    """Call `function` on all items in as many threads as there are processors; give the results in their order.

    A few hundred calls are waiting at a time: a million of them would fill the memory. A bar shows what is left.
    """
    with progress(total=len(items), desc=desc, unit=unit) as bar, ThreadPoolExecutor(cpu_count()) as pool:
        for start in range(0, len(items), CHUNK):
            for result in pool.map(function, items[start : start + CHUNK]):
                yield result
                bar.update()


def one_ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Call `function` on the items in order, in a thread, on each while the result of the one before is used."""
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
    """Give each item after the next one was asked for: what was begun for it goes on meanwhile."""
    held: list[Item] = []
    for item in items:
        yield from held
        held = [item]
    yield from held
