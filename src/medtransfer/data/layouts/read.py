"""Reading a set by its layout, and a short table of what was read, for the user to confirm."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.labels import label_problems, rename_labels
from medtransfer.data.layouts import LAYOUTS
from medtransfer.data.layouts.files import IMAGE_SUFFIXES, ImageFiles, files_below, images_below
from medtransfer.data.layouts.joins import join_images
from medtransfer.data.layouts.one_hot_csv import CSV_NAME
from medtransfer.study import JoinedTable, Labels, Layout
from medtransfer.util.errors import UserError

MOST_ROWS = 20


@dataclass(frozen=True)
class Given:
    """What is known of a set besides its layout; see `study.selection`.

    aside: files that are not images to read, such as masks and copies. unwanted: those that `data.files` leaves out.
    Both are relative to the root of the set.
    """

    aside: frozenset[str] = frozenset()
    unwanted: frozenset[str] = frozenset()
    labels: Labels = field(default_factory=Labels)
    tables: tuple[JoinedTable, ...] = ()

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
    """The rows of a set, the images whose label is left out, and joined columns whose rows differ, by their file."""

    table: pd.DataFrame
    dropped: list[str]
    differing: dict[str, str]


def read_layout(
    root: Path, layout: Layout, given: Given | Collection[str] = frozenset(), least_classes: int = 2
) -> pd.DataFrame:
    """Return the table of `read_rows`; instead of `Given`, the files to leave out are enough."""
    given = given if isinstance(given, Given) else Given(aside=frozenset(given))
    return read_rows(root, layout, given, least_classes).table


def read_rows(root: Path, layout: Layout, given: Given, least_classes: int = 2) -> Rows:
    """Read a set by an explicit layout; `detect.resolve_layout` makes one of `auto`.

    The table is sorted by path and has path (relative to `root`), label, split (train, val, test or missing),
    the further columns of a label CSV, and those of joined tables. Raises `UserError` with every row without a file,
    file without a row and image without a label, and if there are fewer classes than `least_classes`.
    """
    base = root / layout.root
    if not base.is_dir():
        raise UserError(f"data.layout.root: {layout.root} is not a folder of the set")
    aside = {root / path for path in chain(given.aside, given.unwanted)}
    images = ImageFiles(path for path in images_below(base) if path not in aside)
    images.unwanted = [root / path for path in sorted(given.unwanted) if (root / path).is_relative_to(base)]
    images.root, images.tables = root, given.tables
    table, problems = LAYOUTS[layout.kind].read(base, layout, images)
    if not problems and table.empty:
        problems = [f"{base}: no images were found by layout {layout.kind}"]
    dropped: list[str] = []
    if not problems:
        table, dropped, problems = rename_labels(table, given.labels)
    if not problems and (found := label_problems(table, given.labels)):
        problems = [f"{base}: {problem}" for problem in found]
    if not problems and table["label"].nunique() < least_classes:
        names = table["label"].unique()
        problems = [f"{base}: expected two or more classes, but got {f'only {names[0]!r}' if len(names) else 'none'}"]
    differing: dict[str, str] = {}
    if not problems:
        table, differing, problems = join_images([base, root], table, given.tables)
    if problems:
        within = "" if base == root else f"in {layout.root}: "
        raise UserError([within + problem for problem in problems])
    table["path"] = [_within(layout, path) for path in table["path"]]
    return Rows(table.sort_values("path", ignore_index=True), [_within(layout, path) for path in dropped], differing)


def _within(layout: Layout, path: str) -> str:
    return str(PurePosixPath(layout.root) / path)


def as_yaml(layout: Layout) -> str:
    """Write a layout as in `params.yaml` after `layout:`."""
    fields = layout.model_dump(exclude_defaults=True)
    if list(fields) == ["kind"]:
        return layout.kind
    return "{" + ", ".join(f"{name}: {_scalar(value)}" for name, value in fields.items()) + "}"


def describe_set(
    root: Path,
    layout: Layout,
    table: pd.DataFrame,
    masks: Mapping[str, list[str]] = {},
    copies: Mapping[str, str] = {},
    given: Given | None = None,
) -> str:
    """Format, in aligned columns, the layout, its root, classes, splits, masks, copies and the ignored files.

    `copies`: files that were left out because they are copies of others. `given`: what the params leave out or join.
    """
    splits = table["split"].fillna("none published").value_counts(sort=False)
    rows = [("layout", as_yaml(layout), ""), ("root", str(root / layout.root), "")]
    rows += _block("classes", table["label"].value_counts().sort_index())
    rows += _block("splits", splits.sort_index())
    if masks:
        rows += _block("masks", pd.Series({"images with masks": len(masks), "masks": sum(map(len, masks.values()))}))
    if copies:
        pairs = [f"{PurePosixPath(copy).parent} of {PurePosixPath(image).parent}" for copy, image in copies.items()]
        rows += _block("copies", pd.Series(Counter(pairs)))
    explained = {*table["path"], *chain.from_iterable(masks.values()), *copies}
    if given is not None:
        explained |= given.unwanted | given.joined(layout.root)
    rows += _block("ignored", _ignored(root, layout, explained))
    width = max(len(name) for _, name, count in rows if count)
    digits = max(len(count) for _, _, count in rows)
    return "\n".join(
        f"{head:<9}{name:<{width}}  {count:>{digits}}" if count else f"{head:<9}{name}" for head, name, count in rows
    )


def _block(head: str, counts: pd.Series) -> list[tuple[str, str, str]]:
    if counts.empty:
        return [(head, "nothing", "")]
    items = [(str(name), str(count)) for name, count in counts.items()]
    if len(items) > MOST_ROWS:
        items = [*items[: MOST_ROWS - 1], (f"{len(items) - MOST_ROWS + 1} more", str(counts[MOST_ROWS - 1 :].sum()))]
    return [(head if row == 0 else "", name, count) for row, (name, count) in enumerate(items)]


def _ignored(root: Path, layout: Layout, read: set[str]) -> pd.Series:
    """Count the files that the layout did not read: images by their folder, other files by their suffix.

    A file that is the only one of its suffix is named.
    """
    counts: Counter[str] = Counter()
    others: dict[str, list[str]] = {}
    for file in files_below(root):
        path = file.relative_to(root)
        if path.as_posix() in read or file.name == CSV_NAME or file == root / layout.root / str(layout.file):
            continue
        if file.suffix.lower() in IMAGE_SUFFIXES:
            counts[f"images in {path.parent.as_posix()}"] += 1
        else:
            others.setdefault(file.suffix.lower() or "no suffix", []).append(path.as_posix())
    counts |= Counter(
        {f"{suffix} files" if len(paths) > 1 else paths[0]: len(paths) for suffix, paths in others.items()}
    )
    return pd.Series(counts, dtype=int).sort_index()


def _scalar(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_scalar(item) for item in value) + "]"
    text = str(value)
    return text if re.fullmatch(r"[\w./][\w./ -]*", text) and text == text.strip() else json.dumps(text)
