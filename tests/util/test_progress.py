"""Work in threads: results in order, failures told, and no more waiting than a few hundred calls."""

from __future__ import annotations

import time
from itertools import islice

import pytest

from medtransfer.util.progress import CHUNK, in_threads


@pytest.mark.parametrize("count", [0, 1, CHUNK, 2 * CHUNK + 1])
def test_results_come_in_the_order_of_their_items(count: int) -> None:
    assert list(in_threads(lambda item: item * item, range(count), "squares", "item")) == [n * n for n in range(count)]


def test_a_slow_call_does_not_lose_its_place() -> None:
    assert list(in_threads(lambda item: time.sleep(0.02 * (item == 0)) or item, range(4), "naps", "nap")) == [
        0,
        1,
        2,
        3,
    ]


def test_what_a_call_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda item: 1 / item, [1, 0], "quotients", "item"))


def test_only_a_chunk_is_begun_before_its_results_are_taken() -> None:
    begun: list[int] = []
    results = in_threads(begun.append, range(10 * CHUNK), "items", "item")
    list(islice(results, 1))
    assert len(begun) <= CHUNK
    results.close()
