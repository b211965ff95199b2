"""What belongs together: rows of one patient or source, and exact duplicates of one another; Group keys that file names suggest: copies that an export made, and patients. Proposed, never used unasked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from medtransfer.study import Group
from medtransfer.util.errors import UserError, near


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


COPIES = "copies of files"
MARK = r" ?\(\d+\)| - copy(?: ?\(\d+\))?"
"""What a file manager adds to the name of a copy."""

PATTERNS = {
    "augmented copies": r"^(.+?)_aug_?\d+",
    "copies of a Roboflow export": r"^(.+?)\.rf\.[0-9a-f]{8,}",
    COPIES: rf"^(.+?)(?i:{MARK})?\.\w+$",
    "patients": r"(?i)((?:patient|person|subject|pat|subj|case)[-_ ]?\d+)",
    "images of a numbered series": r"^((?:[A-Z0-9]+-)?IM-\d+)",
}
LEAST_SHARE = 1 / 5


@dataclass(frozen=True)
class Proposal:
    """A pattern for `data.group`, what its groups seem to be, and how many of how many names it covers."""

    what: str
    pattern: str
    groups: int
    matched: int
    names: int

    def sentence(self) -> str:
        """Say what the names look like, and which parameter would make use of it."""
        share = "all" if self.matched == self.names else f"{self.matched} of {self.names}"
        return (
            f"{share} file names look like {self.what}, {self.groups} in number; if they are, "
            f"set data.group: {{pattern: '{self.pattern}'}}"
        )


def propose_groups(paths: Sequence[str]) -> list[Proposal]:
    """Give the patterns by which a fifth of the names or more share their key with another, in two groups or more.

    A copy of a file stands beside its original: names that are numbered throughout, `cyst (1).png` to
    `cyst (90).png`, and files of one name in several folders are no copies.
    """
    names = [path.rsplit("/", 1)[-1] for path in paths]
    proposals = []
    for what, pattern in PATTERNS.items():
        found = [(match.group(1), name) for name in names if (match := re.search(pattern, name))]
        sizes = Counter(key for key, _ in found)
        shared = {key for key, size in sizes.items() if size > 1}
        if what == COPIES:
            marked = {key for key, name in found if re.search(rf"(?i:{MARK})\.\w+$", name)}
            shared &= marked & {key for key, name in found if name.startswith(f"{key}.")}
        sharing = sum(sizes[key] for key in shared)
        if len(sizes) > 1 and sharing >= max(LEAST_SHARE * len(names), 1):
            proposals.append(Proposal(what, pattern, len(sizes), len(found), len(names)))
    return proposals
