"""`data.tables`: further tables of the set, joined with the rows of images by a key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.layouts.files import file_of_set
from medtransfer.data.layouts.keys import images_named, spread
from medtransfer.data.layouts.tables import read_table, selected_rows
from medtransfer.study import JoinedTable
from medtransfer.util.errors import UserError, near
from medtransfer.util.text import counted, listed

PathsOf = Callable[[pd.Series], list[list[str]]]
"""Names of images, folders or patients to the paths of their images."""

Differing = dict[str, str]
"""Columns that were not joined because rows of one key differ in them: the reason, by column."""


def with_columns(
    folders: Sequence[Path], table: pd.DataFrame, joins: Sequence[JoinedTable], wanted: Iterable[str]
) -> tuple[pd.DataFrame, list[str]]:
    """Add the columns `wanted` of the tables that are joined `on` a column to the rows of a layout's CSV.

    The tables are in one of `folders`. Returns the table and the problems; a column that no table has is not added.
    """
    try:
        joined, differing = _joined(folders, table, [join for join in joins if join.on in table])
    except UserError as error:
        return table, error.problems
    problems = [differing[name] for name in wanted if name in differing]
    return table.assign(**{name: joined[name].fillna("") for name in wanted if name in joined}), problems


def join_images(
    folders: Sequence[Path], rows: pd.DataFrame, joins: Sequence[JoinedTable]
) -> tuple[pd.DataFrame, Differing, list[str]]:
    """Add all columns of all tables to rows of images, whose paths are relative to the first of `folders`.

    The tables are in one of these. Images that a table does not have get empty cells. Returns the rows, the columns
    that were not joined, and the problems.
    """

    def paths_of(names: pd.Series) -> list[list[str]]:
        return images_named(folders[0], folders[0], [folders[0] / path for path in rows["path"]], list(names))

    try:
        joined, differing = _joined(folders, rows, joins, paths_of)
    except UserError as error:
        return rows, {}, error.problems
    return joined.fillna(dict.fromkeys(joined.columns.difference(rows.columns), "")), differing, []


def _joined(
    folders: Sequence[Path], table: pd.DataFrame, joins: Sequence[JoinedTable], paths_of: PathsOf | None = None
) -> tuple[pd.DataFrame, Differing]:
    differing: Differing = {}
    for join in joins:
        if join.on is not None and join.on not in table:
            raise UserError(f"data.tables: {join.file}: on: no column {join.on!r}{near(join.on, table.columns)}")
        other = _read(folders, join)
        keys = other[join.key].str.strip()
        if join.on is None and paths_of is not None:
            other, paths = spread(other, paths_of(keys))
            keys = pd.Series(paths, index=other.index, dtype=object)
        where = "path" if join.on is None else join.on
        own = table[where].str.strip()
        if not keys.isin(own).any():
            what = "names none of the images" if join.on is None else f"has none of the values of {join.on!r}"
            raise UserError(
                f"data.tables: {join.file}: column {join.key!r} {what}; it holds {listed(list(other[join.key][:3]))}"
            )
        other = other[keys.isin(own)].drop(columns=join.key)
        keys = keys[other.index]
        unclear = [name for name in other if other[name].groupby(keys).nunique().gt(1).any()]
        for name in unclear:
            many = other[name].groupby(keys).nunique().gt(1)
            differing[name] = (
                f"data.tables: {join.file}: {counted(int(many.sum()), 'key')} such as {many.idxmax()} have rows that "
                f"differ in column {name!r}; select one of them with where: {{COLUMN: VALUE}}"
            )
        first = other.drop(columns=unclear).groupby(keys).first()
        for name in first:
            values = own.map(first[name])
            known = name in table and (name in ("path", "label", "split") or not values.equals(table[name]))
            table = table.assign(**{f"{PurePosixPath(join.file).stem}.{name}" if known else name: values})
    return table, differing


def _read(folders: Sequence[Path], join: JoinedTable) -> pd.DataFrame:
    """Read a table, and keep the rows that `where` selects."""
    place = f"data.tables: {join.file}"
    try:
        table = read_table(file_of_set(join.file, *folders))
    except (OSError, ValueError) as error:
        raise UserError(f"{place}: not a readable table: {' '.join(str(error).split())}") from None
    if join.key not in table:
        raise UserError(f"{place}: no column {join.key!r}{near(join.key, table.columns)}")
    try:
        return selected_rows(table, join.where)
    except UserError as error:
        raise UserError(f"{place}: {error}") from None
