"""Arrays that are read row by row against the same arrays in memory."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtransfer.data.images.packed import Packed, open_packed, runs

ORIGINAL = np.random.default_rng(0).integers(0, 256, (6, 4, 3, 1), dtype=np.uint8)
ROWS = st.one_of(
    st.integers(-6, 5),
    st.integers(-6, 5).map(np.int64),
    st.lists(st.integers(-6, 5)).map(lambda rows: np.array(rows, dtype=np.int64)),
    st.lists(st.booleans(), min_size=6, max_size=6).map(np.array),
    st.slices(6),
)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    path = tmp_path_factory.mktemp("packed") / "packed.npy"
    np.save(path, ORIGINAL)
    return open_packed(path)


@given(rows=ROWS)
def test_rows_equal_those_of_the_array_in_memory(packed: Packed, rows: Any) -> None:
    found = packed[rows]
    np.testing.assert_array_equal(found, ORIGINAL[rows])
    assert found.flags.writeable
    assert found.flags.c_contiguous


@given(rows=st.lists(st.integers(0, 50)).map(lambda rows: np.array(rows, dtype=np.int64)))
def test_runs_are_the_longest_ranges_of_consecutive_numbers(rows: np.ndarray) -> None:
    found = runs(rows)
    places = [place for start, stop in found for place in range(start, stop)]
    assert places == list(range(len(rows)))
    for start, stop in found:
        assert rows[start:stop].tolist() == list(range(rows[start], rows[start] + stop - start))
    for (_, stop), _ in itertools.pairwise(found):
        assert rows[stop] != rows[stop - 1] + 1


def test_shape_and_iteration(packed: Packed) -> None:
    assert packed.shape == ORIGINAL.shape
    assert len(packed) == 6
    np.testing.assert_array_equal(np.stack(list(packed)), ORIGINAL)


@pytest.mark.parametrize("row", [6, -7])
def test_a_missing_row_is_an_error(packed: Packed, row: int) -> None:
    with pytest.raises(IndexError):
        packed[row]
    with pytest.raises(IndexError):
        packed[np.array([row])]


def test_one_row_opens_as_an_array(tmp_path: Path) -> None:
    np.save(tmp_path / "views.npy", ORIGINAL)
    part = open_packed(tmp_path / "views.npy", part=4)
    assert part.shape == (4, 3, 1)
    np.testing.assert_array_equal(part[[2, 0]], ORIGINAL[4][[2, 0]])


def test_a_replaced_file_reads_as_it_was_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "old.npy", ORIGINAL)
    packed = open_packed(tmp_path / "old.npy")
    np.save(tmp_path / "new.npy", ORIGINAL[:2] + 1)
    (tmp_path / "new.npy").replace(tmp_path / "old.npy")
    np.testing.assert_array_equal(packed[5], ORIGINAL[5])


def test_a_file_that_ends_too_early_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(bytes(10))
    with pytest.raises(EOFError, match="row 2"):
        Packed(tmp_path / "rows", 0, (4, 4))[[0, 2]]


def test_other_types_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "floats.npy", np.zeros((2, 2)))
    with pytest.raises(TypeError, match="expected uint8, but got float64"):
        open_packed(tmp_path / "floats.npy")


def test_threads_may_share_it(tmp_path: Path) -> None:
    many = np.random.default_rng(1).integers(0, 256, (500, 64), dtype=np.uint8)
    np.save(tmp_path / "many.npy", many)
    packed = open_packed(tmp_path / "many.npy")
    orders = [np.random.default_rng(seed).permutation(500) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for order, found in zip(orders, pool.map(packed.__getitem__, orders), strict=True):
            np.testing.assert_array_equal(found, many[order])
