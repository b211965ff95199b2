"""Groups of rows that must not be divided: images of one patient or source, and duplicates of one another.

A group key comes from the params. Keys that names and columns suggest are proposed: see `proposals`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from medtransfer.data.images.dicom import read_elements
from medtransfer.data.layouts.files import DICOM_SUFFIXES
from medtransfer.data.layouts.read import Rows
from medtransfer.study import Group
from medtransfer.util.errors import UserError, near
from medtransfer.util.text import listed, quoted

MOST_SHOWN = 3
SIGNS = ("-", "/", "|", " | ")
RESERVED = ("path", "split")
"""Names of columns that every set has: those of joined tables go by the name of their file, too."""


def group_keys(root: Path, rows: Rows, group: Group | Sequence[Group] | None) -> pd.Series:
    """Return the group key of each row of a set; without a group definition every image is its own group.

    Several keys are joined. Raises `UserError` that lists the images without a key, or names the missing column.
    """
    table = rows.table
    if group is None:
        return table["path"].copy()
    keys = [_keys(root, rows, each) for each in ([group] if isinstance(group, Group) else group)]
    problems = [problem for _, found in keys for problem in found]
    if problems:
        raise UserError(problems)
    parts = [key for key, _ in keys]
    joined = pd.Series(list(_joined(list(zip(*parts, strict=True)))), index=table.index, dtype=object)
    alone = pd.concat(parts, axis=1).isna().any(axis=1)
    return joined.where(~alone, table["path"])


def _keys(root: Path, rows: Rows, group: Group) -> tuple[pd.Series, list[str]]:
    """Return the keys of one definition, missing where an image has none, and the problems."""
    paths = rows.table["path"]
    if group.pattern is not None:
        place, (keys, searched) = f"pattern: {group.pattern!r} does not match", _captures(paths, group.pattern)
        ending = f" in {searched}s"
    elif group.column is not None:
        if (problem := column_problem(rows, group.column)) is not None:
            return paths, [f"data.group.column: {problem}"]
        values = column_of(rows.table, group.column).astype(str).str.strip()
        keys, place, ending = values.where(values != ""), f"column: {group.column!r} is empty for", ""
    elif group.dicom is not None:
        keys = pd.Series(read_elements([root / path for path in paths], group.dicom), index=paths.index, dtype=object)
        place, ending = f"dicom: no {group.dicom} in", ""
    else:
        keys = paths.map(lambda path: folder_of(path, int(group.folder or 0)))
        place, ending = f"folder: no folder {group.folder} above", ""
    without = paths[keys.isna()]
    if len(without) == len(paths):
        return keys, [f"data.group.{place} any of the {len(paths)} images, such as {paths.iloc[0]}"]
    if group.missing == "alone" or without.empty:
        return keys, []
    shown = ", ".join(without[:MOST_SHOWN]) + (", …" if len(without) > MOST_SHOWN else "")
    return keys, [
        f"data.group.{place} {len(without)} of {len(paths)} images{ending}: {shown}; "
        "missing: alone makes each of them a group of its own"
    ]


def _captures(paths: pd.Series, pattern: str) -> tuple[pd.Series, str]:
    """Search file names or, if no name matches, paths; return what is captured, and where."""
    search = re.compile(pattern).search
    searched, found = "file name", [search(path.rsplit("/", 1)[-1]) for path in paths]
    if not any(found):
        searched, found = "path", [search(path) for path in paths]
    groups = [None if match is None else tuple(v for v in match.groups() if v is not None) for match in found]
    whole = [(match.group(0),) if match is not None and not of else of for match, of in zip(found, groups, strict=True)]
    return pd.Series(list(_joined(whole)), index=paths.index, dtype=object), searched


def _joined(parts: Sequence[tuple[str, ...] | None]) -> Iterator[str | None]:
    """Join the parts of each key by a sign with which different keys stay different."""
    known = [tuple(map(str, key)) for key in parts if key is not None]
    sign = next((sign for sign in SIGNS if len({sign.join(key) for key in known}) == len(set(known))), None)
    yield from (
        None if key is None else json.dumps(key, ensure_ascii=False) if sign is None else sign.join(map(str, key))
        for key in parts
    )


def folder_of(path: str, number: int) -> str | None:
    """Return the folder of a path by its number, 1 being the first and -1 the last; None if there are not as many."""
    folders = path.split("/")[:-1]
    at = number - 1 if number > 0 else number
    return folders[at] if -len(folders) <= at < len(folders) else None


def column_of(table: pd.DataFrame, name: str) -> pd.Series:
    """Return the column `name` of the layout's CSV, or else of a joined table whose own name it is part of."""
    return table[_column(table, name) or name]


def column_problem(rows: Rows, name: str) -> str | None:
    """Return why `column_of` would fail."""
    if _column(rows.table, name) is not None:
        return None
    if any(PurePosixPath(path).suffix.lower() in DICOM_SUFFIXES for path in rows.table["path"]):
        return f"no {name!r}; an element of DICOM files is named by data.group: {{dicom: {name}}}"
    return rows.differing.get(name) or f"no {name!r}{near(name, rows.table.columns)}; data.tables joins further tables"


def _column(table: pd.DataFrame, name: str) -> str | None:
    if name in table and name not in RESERVED:
        return name
    joined = [column for column in table if str(column).endswith(f".{name}")]
    return str(joined[0]) if len(joined) == 1 else name if name in table else None


def keys_across_classes(table: pd.DataFrame) -> list[str]:
    """List the keys (column key) of images of several labels, the largest group first."""
    labels = table.groupby("key")["label"].agg(["nunique", "size"])
    found = labels[labels["nunique"] > 1].sort_values(["size"], ascending=False, kind="stable")
    return list(found.index)


def number_warning(table: pd.DataFrame, group: Group | Sequence[Group] | None) -> list[str]:
    """Warn if keys that are bare numbers, as each class may count its own, join images of several classes.

    A pattern whose group has a name, such as `(?P<patient>\\d+)`, says what the number is.
    """
    if not isinstance(group, Group) or (named := _named(group)) is None:
        return []
    across = keys_across_classes(table)
    if not across or not all(re.fullmatch(r"[\W_]*\d+[\W_]*", key) for key in across):
        return []
    own = f"folder: {group.folder}" if group.pattern is None else f"pattern: {quoted(group.pattern)}"
    return [
        f"GROUPS ACROSS CLASSES: {len(across)} of {table['key'].nunique()} group keys are numbers that images of "
        f"several classes have, such as {listed(across[:3])}; if each class has its own numbers, set data.group: "
        f"[{{{own}}}, {{column: label}}]; if they are the same patients, say so: "
        f"data.group: {{pattern: {quoted(named)}}}"
    ]


def lone_warning(table: pd.DataFrame, group: Group | Sequence[Group] | None) -> list[str]:
    """Warn if a key from names or folders differs for every image, so that it keeps none together.

    A pattern whose group has a name, such as `(?P<patient>\\d+)`, says what is there once.
    """
    if not isinstance(group, Group) or (named := _named(group)) is None or not table["key"].is_unique:
        return []
    return [
        f"GROUP KEY: all {len(table)} images have different ones, as without a key: images of one patient may be on "
        "both sides of a split if another part of the name, or a table (data.tables), identifies the patient; if each "
        f"patient has one image, say so: data.group: {{pattern: {quoted(named)}}}"
    ]


def _named(group: Group) -> str | None:
    """Return the pattern of a group that is found in names or folders, with a name for what it captures.

    None if it has one, and for keys that are stated as such: columns and DICOM elements.
    """
    if group.folder is not None:
        above, below = max(group.folder - 1, 0), max(-group.folder, 0)
        start, end = f"^(?:[^/]+/){{{above}}}", f"(?:/[^/]+){{{below}}}$"
        return f"{start}(?P<patient>[^/]+)/" if group.folder > 0 else f"(?:^|/)(?P<patient>[^/]+){end}"
    if group.pattern is None or "(?P<" in group.pattern:
        return None
    named = re.sub(r"(?<!\\)\((?!\?)", "(?P<patient>", group.pattern, count=1)
    return named if named != group.pattern else f"(?P<patient>{group.pattern})"


def join_groups(keys: pd.Series, pairs: pd.DataFrame) -> pd.Series:
    """Join the groups of the two rows of each pair (columns first, second: row numbers); each has its first key."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

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
