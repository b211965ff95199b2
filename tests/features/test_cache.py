"""Cached features: computed once, whole after a kill, shared by processes, and within their limit."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from medtransfer.features import cache as cache_module
from medtransfer.features.cache import DONE, ROWS, FeatureCache
from medtransfer.util.disk_cache import LIMIT_VARIABLE, evict, fits, limit, lock_of
from medtransfer.util.errors import UserError

COUNT, ROW_BYTES, BATCH = 50, 12, 4
MEGABYTE = 1_000_000


class KilledError(Exception):
    """Simulates a kill."""


class Computer:
    """Computes rows from item numbers, records them, and fails after some batches."""

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
def cache(tmp_path: Path) -> FeatureCache:
    return new_cache(tmp_path)


def new_cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "features" / "key", {"what": "a test"}, COUNT, ROW_BYTES)


def test_rows_are_computed_once_in_whatever_order_they_are_asked_for(cache: FeatureCache) -> None:
    computer = Computer()
    for items in ([3, 1, 3, 40], [1, 2], list(range(COUNT)), [49]):
        wanted = np.array(items)
        np.testing.assert_array_equal(cache.rows(wanted, BATCH, computer)[wanted], expected(wanted))
        assert not len(cache.missing(wanted))
    assert sorted(computer.asked) == list(range(COUNT))


def test_another_object_on_the_same_folder_finds_them(cache: FeatureCache, tmp_path: Path) -> None:
    cache.rows(np.arange(10), BATCH, Computer())
    again = Computer()
    new_cache(tmp_path).rows(np.arange(12), BATCH, again)
    assert again.asked == [10, 11]


def test_a_kill_loses_only_what_was_not_yet_on_disk(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cache_module, "FLUSH_SECONDS", 0.0)
    with pytest.raises(KilledError):
        cache.rows(np.arange(COUNT), BATCH, Computer(dies_after=3))
    again = Computer()
    rows = new_cache(tmp_path).rows(np.arange(COUNT), BATCH, again)
    assert again.asked == list(range(3 * BATCH, COUNT))
    np.testing.assert_array_equal(rows, expected(np.arange(COUNT)))


def test_rows_that_were_not_flushed_are_computed_again(cache: FeatureCache, tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        cache.rows(np.arange(COUNT), BATCH, Computer(dies_after=3))
    again = Computer()
    new_cache(tmp_path).rows(np.arange(COUNT), BATCH, again)
    assert again.asked == list(range(COUNT))


@pytest.mark.parametrize("lost", [ROWS, DONE, "."])
def test_deleted_files_are_rewritten_and_open_rows_stay(cache: FeatureCache, tmp_path: Path, lost: str) -> None:
    items = np.arange(COUNT)
    rows = cache.rows(items, BATCH, Computer())
    folder = tmp_path / "features" / "key"
    shutil.rmtree(folder) if lost == "." else (folder / lost).unlink()
    np.testing.assert_array_equal(rows, expected(items))
    np.testing.assert_array_equal(cache.rows(items, BATCH, Computer()), expected(items))


def _fill(tmp_path: Path, computed: Callable[[list[int]], None]) -> None:
    def slowly(batches: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        for items in batches:
            time.sleep(0.02)
            computed(items.tolist())
            yield expected(items)

    rows = new_cache(tmp_path).rows(np.arange(COUNT), BATCH, slowly)
    assert np.array_equal(rows, expected(np.arange(COUNT)))


def test_processes_that_need_the_same_rows_compute_them_once(tmp_path: Path) -> None:
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


@pytest.fixture
def ten_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "0.01")


def filled(root: Path, name: str, age: float, size: int = 3 * MEGABYTE) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "rows.bin").write_bytes(b"x" * size)
    os.utime(folder, (1e9 - age, 1e9 - age))
    return folder


def left(root: Path) -> set[str]:
    return {path.name for path in root.iterdir() if path.is_dir()}


@pytest.mark.usefixtures("ten_megabytes")
def test_the_limit_is_ten_gigabytes_or_the_value_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limit() == 10 * MEGABYTE
    monkeypatch.delenv(LIMIT_VARIABLE)
    assert limit() == 10_000 * MEGABYTE


@pytest.mark.parametrize("text", ["much", "-1", "nan"])
def test_an_invalid_limit_is_an_error_that_names_the_variable(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, text)
    with pytest.raises(UserError, match=f"{LIMIT_VARIABLE}: expected gigabytes"):
        limit()


@pytest.mark.usefixtures("ten_megabytes")
def test_the_least_recently_used_are_evicted_first_and_no_more_than_needed(tmp_path: Path) -> None:
    for name, age in (("new", 1), ("old", 30), ("middle", 20)):
        filled(tmp_path, name, age)
    evict(tmp_path, 1 * MEGABYTE // 2, set())
    assert left(tmp_path) == {"new", "middle", "old"}
    evict(tmp_path, 4 * MEGABYTE - 200_000, set())
    assert left(tmp_path) == {"new", "middle"}
    evict(tmp_path, 9 * MEGABYTE, set())
    assert left(tmp_path) == set()


@pytest.mark.usefixtures("ten_megabytes")
def test_caches_in_use_are_not_evicted(tmp_path: Path) -> None:
    for name, age in (("mine", 30), ("being filled", 20), ("other", 10)):
        filled(tmp_path, name, age)
    with lock_of(tmp_path / "being filled"):
        evict(tmp_path, 10 * MEGABYTE, {"mine"})
    assert left(tmp_path) == {"mine", "being filled"}


@pytest.mark.usefixtures("ten_megabytes")
def test_only_what_is_within_the_limit_fits(tmp_path: Path) -> None:
    assert fits(tmp_path / "new", 10 * MEGABYTE)
    assert not fits(tmp_path / "new", 10 * MEGABYTE + 1)


def test_half_of_the_free_disk_space_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "1e9")
    statistics = os.statvfs(tmp_path)
    free = statistics.f_bavail * statistics.f_frsize
    assert fits(tmp_path, int(free * 0.4))
    assert not fits(tmp_path, int(free * 0.6))
