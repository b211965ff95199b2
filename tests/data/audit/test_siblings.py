"""Pairs that belong together, against all pairs of rows compared one by one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from medtransfer.data.audit.pairs import count_kinds, divided_pairs, sibling_pairs

SPLITS = ["train", "val", "test", None]
ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from(SPLITS)), min_size=1, max_size=14)
NONE = pd.DataFrame({"first": [], "second": [], "mirrored": [], "inliers": []}, dtype=int)


def table_of(rows: list[tuple[object, object, str | None]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["sha256", "key", "split"])


def linked(pairs: pd.DataFrame, count: int) -> set[tuple[int, int]]:
    """Return all pairs of rows that are linked, directly or not."""
    related = np.eye(count, dtype=int)
    for first, second in pairs[["first", "second"]].to_numpy():
        related[first, second] = related[second, first] = 1
    reached = np.linalg.matrix_power(related, count) > 0
    return {(one, other) for one in range(count) for other in range(one + 1, count) if reached[one, other]}


def test_pairs_worked_by_hand() -> None:
    table = table_of(
        [("x", "p1", "train"), ("y", "p1", "train"), ("x", "p2", "test"), ("x", "p1", "train"), ("z", "p1", "val")]
    )
    near = pd.DataFrame({"first": [1], "second": [4], "mirrored": [True], "inliers": [40]})
    pairs = sibling_pairs(table, near)
    assert pairs.to_numpy().tolist() == [[0, 2, "exact", 0], [0, 3, "exact", 0], [1, 4, "near", 40], [0, 4, "key", 0]]
    divided = divided_pairs(pairs, table["split"])
    assert divided.tolist() == [True, False, True, True]
    counts = count_kinds(table, pairs[divided])
    assert counts == {"group keys": 1, "sets of exact duplicates": 1, "pairs of near duplicates": 1}


@given(ROWS)
def test_exact_pairs_link_every_set_of_duplicates_by_the_fewest_pairs(rows: list[tuple[int, int, str | None]]) -> None:
    table = table_of(rows)
    pairs = sibling_pairs(table, NONE)
    exact = pairs[pairs["kind"] == "exact"]
    numbers = range(len(rows))
    same = {(one, other) for one in numbers for other in numbers if one < other and rows[one][0] == rows[other][0]}
    assert linked(exact, len(rows)) == same
    assert len(exact) == len(rows) - len({sha256 for sha256, _, _ in rows})


@given(ROWS)
def test_a_kind_is_counted_if_any_of_its_pairs_is_divided(rows: list[tuple[int, int, str | None]]) -> None:
    table = table_of(rows)
    pairs = sibling_pairs(table, NONE)
    counts = count_kinds(table, pairs[divided_pairs(pairs, table["split"])])

    def crossing(column: int) -> int:
        splits: dict[object, set[str]] = {}
        for row in rows:
            splits.setdefault(row[column], set()).update({row[2]} - {None})
        return sum(len(found) > 1 for found in splits.values())

    assert counts["group keys"] == crossing(1)
    if all(split is not None for _, _, split in rows):
        assert counts["sets of exact duplicates"] == crossing(0)


def test_without_splits_no_pair_is_divided_and_keys_make_no_pairs() -> None:
    table = table_of([("x", "p1", None), ("x", "p1", None), ("y", "p1", None)])
    pairs = sibling_pairs(table, NONE)
    assert pairs[["first", "second", "kind"]].to_numpy().tolist() == [[0, 1, "exact"]]
    assert not divided_pairs(pairs, table["split"]).any()
