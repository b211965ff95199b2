"""Work on the next item while the result of the one before is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


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
