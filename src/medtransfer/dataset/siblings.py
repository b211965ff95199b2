"""Pairs of images that belong together, and why: exact duplicates, near duplicates, one group key."""

from __future__ import annotations

import pandas as pd

EXACT, NEAR, KEY = KINDS = ("exact", "near", "key")
COLUMNS = ["first", "second", "kind", "inliers"]


def sibling_pairs(table: pd.DataFrame, near: pd.DataFrame) -> pd.DataFrame:
    """List pairs of rows that must not be divided: first and second (row numbers), kind and inliers.

    `table` has the columns sha256, key (the group key) and split, `near` the near duplicates' columns first,
    second and inliers. The first of a set of exact duplicates is paired with each of the others. Of a group
    key that stands in several splits, the first image of its first split is paired with that of each other;
    within a split a key makes no pairs. A pair that is several of these is listed as each.
    """
    exact = _with_the_first_of(table["sha256"])
    divided = table.dropna(subset="split").drop_duplicates(["key", "split"])
    keyed = _with_the_first_of(divided["key"])
    parts = [exact.assign(kind=EXACT), near.assign(kind=NEAR), keyed.assign(kind=KEY)]
    return pd.concat([part.assign(inliers=part.get("inliers", 0)) for part in parts], ignore_index=True)[COLUMNS]


def divided_pairs(pairs: pd.DataFrame, splits: pd.Series) -> pd.Series:
    """Mark the pairs that stand in two of the `splits`; rows without a split are divided from none."""
    first, second = (splits.to_numpy()[pairs[name].to_numpy(int)] for name in ("first", "second"))
    return pd.Series((first != second) & ~pd.isna(first) & ~pd.isna(second), index=pairs.index, dtype=bool)


def count_kinds(table: pd.DataFrame, pairs: pd.DataFrame) -> dict[str, int]:
    """Count what the pairs stand for: group keys, sets of exact duplicates, and pairs of near duplicates."""
    first = {kind: pairs["first"][pairs["kind"] == kind].to_numpy(int) for kind in KINDS}
    return {
        "group_keys": int(table["key"].iloc[first[KEY]].nunique()),
        "exact_sets": int(table["sha256"].iloc[first[EXACT]].nunique()),
        "near_pairs": len(first[NEAR]),
    }


def _with_the_first_of(values: pd.Series) -> pd.DataFrame:
    """Pair the first row of each value with all others of it."""
    rows = pd.Series(values.index.to_numpy(), index=values.index)
    first = rows.groupby(values).transform("first")
    others = rows != first
    return pd.DataFrame({"first": first[others].to_numpy(int), "second": rows[others].to_numpy(int)})
