"""Groups of rows that must not be divided: images of one patient or source, and duplicates of one another.

A group key comes from the params. Keys that file names suggest are proposed, but never used unasked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from medtransfer.study import Group
from medtransfer.util.errors import UserError, near


def group_keys(table: pd.DataFrame, group: Group | None) -> pd.Series:
    """Return the group key of each row; without a group definition every image is its own group.

    Raises `UserError` that lists the paths that the pattern does not match or whose column is empty, or names the
    missing column.
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
    pattern = re.compile(str(group.pattern))
    found = [pattern.search(path.rsplit("/", 1)[-1]) for path in table["path"]]
    missed = [path for path, match in zip(table["path"], found, strict=True) if match is None]
    if missed:
        raise UserError([f"data.group.pattern: {group.pattern!r} does not match {path}" for path in missed])
    return pd.Series([_captured(match) for match in found if match is not None], index=table.index)


def join_groups(keys: pd.Series, pairs: pd.DataFrame) -> pd.Series:
    """Join the groups of the two rows of each pair (columns first, second: row numbers); each has its first key."""
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


COPIES = "copies of files"
MARK = r" ?\(\d+\)| - copy(?: ?\(\d+\))?"
"""The mark that a file manager adds to the name of a copy."""

PATTERNS = {
    "augmented copies": r"^(.+?)_aug_?\d+",
    "copies of a Roboflow export": r"^(.+?)\.rf\.[0-9a-f]{8,}",
    COPIES: rf"^(.+?)(?i:{MARK})?\.\w+$",
    "patients": r"(?i)((?:patient|person|subject|pat|subj|case)[-_ ]?\d+)",
    "images of a numbered series": r"^((?:[A-Z0-9]+-)?IM-\d+)",
}
LEAST_SHARE = 1 / 5


def propose_groups(paths: Sequence[str]) -> list[str]:
    """Return a sentence for each pattern by which at least a fifth of the names share their key, in two or more groups.

    A copy of a file must be in the set with its original: names that are numbered throughout, `cyst (1).png` to
    `cyst (90).png`, and files of one name in several folders are not copies.
    """
    names = [path.rsplit("/", 1)[-1] for path in paths]
    proposals = []
    for groups, pattern in PATTERNS.items():
        found = [(match.group(1), name) for name in names if (match := re.search(pattern, name))]
        sizes = Counter(key for key, _ in found)
        shared = {key for key, size in sizes.items() if size > 1}
        if groups == COPIES:
            marked = {key for key, name in found if re.search(rf"(?i:{MARK})\.\w+$", name)}
            shared &= marked & {key for key, name in found if name.startswith(f"{key}.")}
        sharing = sum(sizes[key] for key in shared)
        if len(sizes) > 1 and sharing >= max(LEAST_SHARE * len(names), 1):
            share = "all" if len(found) == len(names) else f"{len(found)} of {len(names)}"
            proposals.append(
                f"{share} file names suggest {len(sizes)} groups ({groups}); to use them, "
                f"set data.group: {{pattern: '{pattern}'}}"
            )
    return proposals
