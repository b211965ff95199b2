"""Reading a set by its layout."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.layouts import LAYOUTS
from medtransfer.data.layouts.files import ImageFiles, images_below
from medtransfer.data.layouts.joins import join_images
from medtransfer.data.layouts.label_csv import EMPTIED, KEYED, WITHOUT_IMAGE, WITHOUT_ROW
from medtransfer.data.targets import TARGETS, Target
from medtransfer.study import JoinedTable, Labels, Layout
from medtransfer.util.errors import UserError
from medtransfer.util.text import yaml_word


@dataclass(frozen=True)
class Given:
    """What is known of a set besides its layout; see `study.selection`.

    aside: files that are not images to read, such as masks and copies. unwanted: those that `data.files` leaves out.
    Both are relative to the root of the set. target: what is to be predicted. published: whether the layout has to give
    the split of each image.
    """

    aside: frozenset[str] = frozenset()
    unwanted: frozenset[str] = frozenset()
    labels: Labels = field(default_factory=Labels)
    tables: tuple[JoinedTable, ...] = ()
    target: Target = field(default_factory=lambda: TARGETS["classes"])
    published: bool = False

    def joined(self, folder: str) -> frozenset[str]:
        """Return the files of the joined tables, wherever they are: by their names, and below `folder`."""
        return frozenset(path for join in self.tables for path in (join.file, str(PurePosixPath(folder) / join.file)))

    def below(self, folder: str) -> Given:
        """Return the same with files below `folder` only, relative to it."""
        aside, unwanted = (
            frozenset(
                str(path.relative_to(folder)) for path in map(PurePosixPath, files) if path.is_relative_to(folder)
            )
            for files in (self.aside, self.unwanted)
        )
        return replace(self, aside=aside, unwanted=unwanted)


@dataclass(frozen=True)
class Rows:
    """The rows of a set, the images whose label is left out, and joined columns whose rows differ, by their file.

    without_image: the names in rows of a table that `missing: drop` leaves out. without_row: images that it leaves out.
    emptied: images whose findings are all left out, which then count as images without a finding. keyed: what the rows
    of a table name instead of images.
    """

    table: pd.DataFrame
    dropped: list[str]
    differing: dict[str, str]
    without_image: list[str] = field(default_factory=list)
    without_row: list[str] = field(default_factory=list)
    emptied: list[str] = field(default_factory=list)
    keyed: list[str] = field(default_factory=list)


def read_layout(root: Path, layout: Layout, given: Given | Collection[str] = frozenset()) -> pd.DataFrame:
    """Return the table of `read_rows`; instead of `Given`, the files to leave out are enough."""
    given = given if isinstance(given, Given) else Given(aside=frozenset(given))
    return read_rows(root, layout, given).table


def read_rows(root: Path, layout: Layout, given: Given) -> Rows:
    """Read a set by an explicit layout; `detect.resolve_layout` makes one of `auto`.

    The table is sorted by path and has path (relative to `root`), label, split (train, val, test or missing),
    the further columns of a label CSV, and those of joined tables. Raises `UserError` with every row without a file,
    file without a row and image without a label, and what the target objects to in the labels.
    """
    base = root / layout.root
    if not base.is_dir():
        raise UserError(f"data.layout.root: {layout.root} is not a folder of the set")
    aside = {root / path for path in chain(given.aside, given.unwanted)}
    images = ImageFiles(path for path in images_below(base) if path not in aside)
    images.unwanted = [root / path for path in sorted(given.unwanted) if (root / path).is_relative_to(base)]
    images.root, images.tables, images.target = root, given.tables, given.target
    table, problems = LAYOUTS[layout.kind].read(base, layout, images)
    without_image, without_row, keyed = (table.attrs.get(name, []) for name in (WITHOUT_IMAGE, WITHOUT_ROW, KEYED))
    if not problems and table.empty:
        problems = [f"{base}: no images were found by layout {layout.kind}"]
    dropped: list[str] = []
    if not problems:
        table, dropped, problems = given.target.renamed(table, given.labels)
    if not problems:
        problems = [f"{base}: {problem}" for problem in given.target.problems(table, given.labels)]
    emptied = [_within(layout, path) for path in table.attrs.get(EMPTIED, [])]
    differing: dict[str, str] = {}
    if not problems:
        table, differing, problems = join_images([base, root], table, given.tables)
    if problems:
        within = "" if base == root else f"in {layout.root}: "
        raise UserError([within + problem for problem in problems])
    table["path"] = [_within(layout, path) for path in table["path"]]
    dropped, without_row = ([_within(layout, path) for path in paths] for paths in (dropped, without_row))
    table = table.sort_values("path", ignore_index=True)
    return Rows(table, dropped, differing, without_image, without_row, emptied, keyed)


def _within(layout: Layout, path: str) -> str:
    return str(PurePosixPath(layout.root) / path)


def as_yaml(layout: Layout) -> str:
    """Write a layout as in `params.yaml` after `layout:`."""
    fields = layout.model_dump(exclude_defaults=True)
    if list(fields) == ["kind"]:
        return layout.kind
    return "{" + ", ".join(f"{name}: {_scalar(value)}" for name, value in fields.items()) + "}"


def _scalar(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_scalar(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_scalar(item) for item in value) + "]"
    return yaml_word(value) if isinstance(value, str) else json.dumps(value)
