"""Work on the next item while the result of the one before is used."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from medtransfer.util.progress import one_ahead, one_behind


def test_one_item_is_made_while_the_one_before_is_used() -> None:
    made: list[int] = []
    ready = threading.Event()

    def make(item: int) -> int:
        made.append(item)
        if item == 1:
            ready.set()
        return item * item

    results = one_ahead(make, range(5))
    assert next(results) == 0
    assert ready.wait(5)
    time.sleep(0.05)
    assert made == [0, 1]
    assert list(results) == [1, 4, 9, 16]


def test_an_error_arrives_in_its_place() -> None:
    def make(item: int) -> float:
        return 1 / (2 - item)

    results: Iterator[float] = one_ahead(make, range(4))
    assert [next(results), next(results)] == [0.5, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_nothing_gives_nothing() -> None:
    assert list(one_ahead(abs, [])) == []


def test_an_item_is_given_once_the_next_one_is_there() -> None:
    begun: list[int] = []

    def begin(item: int) -> int:
        begun.append(item)
        return item

    items = one_behind(map(begin, range(3)))
    assert next(items) == 0
    assert begun == [0, 1]
    assert list(items) == [1, 2]
    assert list(one_behind([])) == []
