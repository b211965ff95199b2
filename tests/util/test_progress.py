"""Threads that work ahead: results in order, errors in their place, and a bounded number of waiting calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import islice

import pytest

from medtransfer.util.progress import CHUNK, in_threads, one_ahead, one_behind


@pytest.mark.parametrize("count", [0, 1, CHUNK, 2 * CHUNK + 1])
def test_results_are_in_the_order_of_the_items(count: int) -> None:
    assert list(in_threads(lambda item: item * item, range(count), "squares", "item")) == [n * n for n in range(count)]


def test_a_slow_call_keeps_its_place() -> None:
    naps = in_threads(lambda item: time.sleep(0.02 * (item == 0)) or item, range(4), "naps", "nap")
    assert list(naps) == [0, 1, 2, 3]


def test_an_error_in_a_thread_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda item: 1 / item, [1, 0], "quotients", "item"))


def test_only_one_chunk_is_started_before_its_results_are_used() -> None:
    begun: list[int] = []
    results = in_threads(begun.append, range(10 * CHUNK), "items", "item")
    list(islice(results, 1))
    assert len(begun) <= CHUNK
    results.close()


def test_one_result_is_computed_ahead() -> None:
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
    assert list(one_ahead(abs, [])) == []


def test_an_error_is_raised_in_its_place() -> None:
    results: Iterator[float] = one_ahead(lambda item: 1 / (2 - item), range(4))
    assert [next(results), next(results)] == [0.5, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_an_item_is_yielded_once_the_next_was_requested() -> None:
    begun: list[int] = []

    def begin(item: int) -> int:
        begun.append(item)
        return item

    items = one_behind(map(begin, range(3)))
    assert next(items) == 0
    assert begun == [0, 1]
    assert list(items) == [1, 2]
    assert list(one_behind([])) == []
