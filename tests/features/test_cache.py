"""Rows on disk: computed once, whole after a kill, shared by processes that want them at the same time."""

from __future__ import annotations

import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from medtransfer.features import cache as shelf_module
from medtransfer.features.cache import DONE, ROWS, Shelf

COUNT, ROW_BYTES, BATCH = 50, 12, 4


class KilledError(Exception):
    """Stands for a kill."""


class Computer:
    """Computes rows from item numbers, counts them, and dies after so many batches."""

    def __init__(self, dies_after: int | None = None) -> None:
        self.asked: list[int] = []
        self._left = dies_after

    def __call__(self, batches: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        for items in batches:
            if self._left is not None:
                if self._left == 0:
                    raise KilledError
                self._left -= 1
            assert len(items) <= BATCH
            self.asked += items.tolist()
            yield expected(items)


def expected(items: np.ndarray) -> np.ndarray:
    return (items[:, None] * 7 + np.arange(ROW_BYTES)).astype(np.uint8)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return new_shelf(tmp_path)


def new_shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "features" / "key", {"what": "a test"}, COUNT, ROW_BYTES)


def test_rows_are_computed_once_however_they_are_asked_for(shelf: Shelf) -> None:
    computer = Computer()
    for items in ([3, 1, 3, 40], [1, 2], list(range(COUNT)), [49]):
        wanted = np.array(items)
        np.testing.assert_array_equal(shelf.rows(wanted, BATCH, computer)[wanted], expected(wanted))
        assert not len(shelf.missing(wanted))
    assert sorted(computer.asked) == list(range(COUNT))


def test_another_object_over_the_same_folder_finds_them(shelf: Shelf, tmp_path: Path) -> None:
    shelf.rows(np.arange(10), BATCH, Computer())
    again = Computer()
    new_shelf(tmp_path).rows(np.arange(12), BATCH, again)
    assert again.asked == [10, 11]


def test_a_kill_loses_what_was_not_yet_on_disk_and_nothing_else(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shelf_module, "FLUSH_SECONDS", 0.0)
    with pytest.raises(KilledError):
        shelf.rows(np.arange(COUNT), BATCH, Computer(dies_after=3))
    again = Computer()
    rows = new_shelf(tmp_path).rows(np.arange(COUNT), BATCH, again)
    assert again.asked == list(range(3 * BATCH, COUNT))
    np.testing.assert_array_equal(rows, expected(np.arange(COUNT)))


def test_rows_that_were_not_flushed_are_computed_again(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        shelf.rows(np.arange(COUNT), BATCH, Computer(dies_after=3))
    again = Computer()
    new_shelf(tmp_path).rows(np.arange(COUNT), BATCH, again)
    assert again.asked == list(range(COUNT))


@pytest.mark.parametrize("lost", [ROWS, DONE, "."])
def test_deleted_files_are_made_again_and_open_rows_stay(shelf: Shelf, tmp_path: Path, lost: str) -> None:
    items = np.arange(COUNT)
    rows = shelf.rows(items, BATCH, Computer())
    folder = tmp_path / "features" / "key"
    shutil.rmtree(folder) if lost == "." else (folder / lost).unlink()
    np.testing.assert_array_equal(rows, expected(items))
    np.testing.assert_array_equal(shelf.rows(items, BATCH, Computer()), expected(items))


def _fill(tmp_path: Path, computed: Callable[[list[int]], None]) -> None:
    def slowly(batches: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        for items in batches:
            time.sleep(0.02)
            computed(items.tolist())
            yield expected(items)

    rows = new_shelf(tmp_path).rows(np.arange(COUNT), BATCH, slowly)
    assert np.array_equal(rows, expected(np.arange(COUNT)))


def test_processes_that_want_the_same_rows_compute_them_once_between_them(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    workers = [context.Process(target=_fill, args=(tmp_path, queue.put)) for _ in range(3)]
    for worker in workers:
        worker.start()
    found: list[int] = []
    while len(found) < COUNT:
        found += queue.get()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert queue.empty()
    assert sorted(found) == list(range(COUNT))
