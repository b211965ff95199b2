"""What belongs together: rows of one patient or source, and exact duplicates of one another."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from medtransfer.errors import UserError
from medtransfer.study import Group, near


def group_keys(table: pd.DataFrame, group: Group | None) -> pd.Series:
    """Give each row its group key; without a group definition every image is its own group.

    Raises `UserError` that lists the paths the pattern does not match or whose column is empty, or names the
    column that is not there.
    """
    if group is None:
        return table["path"].copy()
    if group.column is not None:
        if group.column not in table:
            raise UserError(f"data.group.column: no {group.column!r}{near(group.column, table.columns)}")
        keys = table[group.column].astype(str).str.strip()
        empty = table["path"][keys == ""]
        if len(empty):
            raise UserError([f"data.group.column: {group.column!r} is empty for {path}" for path in empty])
        return keys
    try:
        pattern = re.compile(str(group.pattern))
    except re.error as error:
        raise UserError(f"data.group.pattern: {group.pattern!r} is no regular expression: {error}") from None
    found = [pattern.search(path.rsplit("/", 1)[-1]) for path in table["path"]]
    missed = [path for path, match in zip(table["path"], found, strict=True) if match is None]
    if missed:
        raise UserError([f"data.group.pattern: {group.pattern!r} does not match {path}" for path in missed])
    return pd.Series([_captured(match) for match in found if match is not None], index=table.index)


def merge_groups(keys: pd.Series, sha256: pd.Series) -> pd.Series:
    """Join the groups that share an exact duplicate; each joined group bears its first key."""
    key_codes, key_names = pd.factorize(keys, sort=True)
    hash_codes, hash_names = pd.factorize(sha256)
    size = len(key_names) + len(hash_names)
    ones = np.ones(len(keys), dtype=np.int8)
    graph = coo_array((ones, (key_codes, hash_codes + len(key_names))), shape=(size, size))
    _, component = connected_components(graph, directed=False)
    first = pd.Series(key_names).groupby(component[: len(key_names)]).first()
    return pd.Series(first.loc[component[key_codes]].to_numpy(), index=keys.index)


def join_groups(keys: pd.Series, pairs: pd.DataFrame) -> pd.Series:
    """Join the groups of the rows that stand in a pair (columns first, second: row numbers)."""
    codes, names = pd.factorize(keys, sort=True)
    ends = (codes[pairs["first"].to_numpy(int)], codes[pairs["second"].to_numpy(int)])
    graph = coo_array((np.ones(len(pairs), dtype=np.int8), ends), shape=(len(names), len(names)))
    _, component = connected_components(graph, directed=False)
    first = pd.Series(names).groupby(component).first()
    return pd.Series(first.loc[component[codes]].to_numpy(), index=keys.index)


def duplicate_groups(sha256: pd.Series) -> list[list[int]]:
    """List the row numbers of each set of exact duplicates."""
    positions = pd.Series(np.arange(len(sha256)), index=sha256.to_numpy())
    sets = positions.groupby(level=0, sort=False).agg(list)
    return [rows for rows in sets if len(rows) > 1]


def _captured(match: re.Match[str]) -> str:
    groups = [value for value in match.groups() if value is not None]
    return "-".join(groups) if groups else match.group(0)
