"""What was read of a set, as a short table for the user to confirm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path, PurePosixPath

import pandas as pd
from rich.cells import cell_len

from medtransfer.data.layouts.files import files_below, is_image, relative_to, split_of
from medtransfer.data.layouts.image_tables import image_tables, label_columns
from medtransfer.data.layouts.label_csv import tables_named
from medtransfer.data.layouts.label_tables import folders_of_images
from medtransfer.data.layouts.one_hot_csv import CSV_NAME
from medtransfer.data.layouts.read import Given, as_yaml
from medtransfer.data.layouts.tables import TABLE_SUFFIXES, WORKBOOKS, match_names
from medtransfer.data.targets.target import counts_of
from medtransfer.study import Layout
from medtransfer.util.errors import UserError
from medtransfer.util.text import MISSING, is_missing

MOST_ROWS = 20
HEAD_WIDTH = 9
SAMPLES = 3
NEXT = 100
COLUMNS = ("file", "label", "group", "split", "mask")


@dataclass(frozen=True)
class Aside:
    """Files that are not read as images: the masks of each image, copies and unused masks, and what the params say."""

    masks: Mapping[str, list[str]] = field(default_factory=dict)
    copies: Mapping[str, str] = field(default_factory=dict)
    unused_masks: Mapping[str, str] = field(default_factory=dict)
    given: Given = field(default_factory=Given)


def describe_set(
    root: Path, layout: Layout, table: pd.DataFrame, aside: Aside = Aside(), without_image: Sequence[str] = ()
) -> str:
    """Format, in aligned columns, the layout, its root, classes, splits, masks, copies and the files that are not read.

    Of these, images in a folder named like a test split are listed as unlabelled. `without_image`: names of images in
    rows that were left out.
    """
    splits = table["split"].fillna("none published").value_counts(sort=False)
    masks = aside.masks
    rows = [("layout", as_yaml(layout), ""), ("root", str(root / layout.root), "")]
    rows += _block(aside.given.target.listed_as, counts_of(table))
    if note := aside.given.target.remark(table["label"]):
        rows.append(("note", note, ""))
    rows += _block("splits", splits.sort_index())
    if masks:
        rows += _block("masks", pd.Series({"images with masks": len(masks), "masks": sum(map(len, masks.values()))}))
    if aside.unused_masks:
        text = "not used; data.masks: auto packs them with their images"
        rows += _block("masks", pd.Series({text: len(aside.unused_masks)}))
    if aside.copies:
        folders = [(PurePosixPath(copy).parent, PurePosixPath(image).parent) for copy, image in aside.copies.items()]
        rows += _block("copies", pd.Series(Counter(f"{copy} of {image}" for copy, image in folders)))
    if without_image:
        rows += _block("no image", pd.Series({f"rows left out, such as {without_image[0]}": len(without_image)}))
    explained = {*table["path"], *chain.from_iterable(masks.values()), *aside.copies, *aside.unused_masks}
    explained |= aside.given.unwanted | aside.given.joined(layout.root)
    tables = tables_named(root / layout.root, layout)
    explained |= set(chain.from_iterable(_of_a_table(PurePosixPath(layout.root) / file) for file in tables))
    for head, counts in _unread(root, explained).items():
        if head == "ignored" or not counts.empty:
            rows += _block(head, counts)
    head_width = max(HEAD_WIDTH, *(cell_len(head) + 1 for head, _, _ in rows))
    width = max(cell_len(name) for _, name, count in rows if count)
    digits = max(len(count) for _, _, count in rows)
    return "\n".join(
        f"{padded(head, head_width)}{padded(name, width)}  {count:>{digits}}"
        if count
        else f"{padded(head, head_width)}{name}"
        for head, name, count in rows
    )


def sample_rows(
    table: pd.DataFrame,
    groups: pd.Series | None,
    masks: Mapping[str, list[str]],
    readable: Callable[[str], bool] = lambda path: True,
) -> list[dict[str, str]]:
    """Return the first, a middle and the last row of a set, with its file, label, group, published split and masks.

    A row whose file is not `readable` is replaced by a neighbour, if one of the next hundred is.
    """
    groups = pd.Series(MISSING, index=table.index) if groups is None else groups
    last, middle = len(table) - 1, len(table) // 2
    nearest = (range(last + 1), range(middle, last + 1), range(last, -1, -1))
    paths = table["path"]
    at = sorted({next((row for row in rows[:NEXT] if readable(paths.iloc[row])), rows[0]) for rows in nearest})
    return [
        {
            "file": row.path,
            "label": row.label,
            "group": str(group),
            "split": MISSING if is_missing(row.split) else row.split,
            "mask": ", ".join(masks.get(row.path, [])) or MISSING,
        }
        for row, group in zip(table.iloc[at].itertuples(), groups.iloc[at], strict=True)
    ]


def samples_as_text(samples: list[dict[str, str]]) -> list[str]:
    """Format sample rows in aligned columns, one line for each and one for their names."""
    lines = [dict(zip(COLUMNS, COLUMNS, strict=True)), *samples]
    widths = {name: max(cell_len(row[name]) for row in lines) for name in COLUMNS}
    return ["  ".join(padded(row[name], widths[name]) for name in COLUMNS).rstrip() for row in lines]


def padded(text: str, width: int) -> str:
    """Pad a text to a number of cells of a terminal, of which a Chinese character takes two."""
    return text + " " * (width - cell_len(text))


def _block(head: str, counts: pd.Series) -> list[tuple[str, str, str]]:
    if counts.empty:
        return [(head, "nothing", "")]
    items = [(str(name), str(count)) for name, count in counts.items()]
    if len(items) > MOST_ROWS:
        items = [*items[: MOST_ROWS - 1], (f"{len(items) - MOST_ROWS + 1} more", str(counts[MOST_ROWS - 1 :].sum()))]
    return [(head if row == 0 else "", name, count) for row, (name, count) in enumerate(items)]


def _of_a_table(file: PurePosixPath) -> tuple[str, str]:
    """Return the path of a table and that of its workbook, of which it may be a sheet."""
    return str(file), str(file.parent if file.parent.suffix.lower() in WORKBOOKS else file)


def _unread(root: Path, read: set[str]) -> dict[str, pd.Series]:
    """Count the files that are not read: images with and without labels, then others.

    Images are counted by folder, the rest by suffix. Labelled are those that a table names with a label, unlabelled
    other images in a folder named like a test split. A file that is the only one of its suffix is named.
    """
    images: list[PurePosixPath] = []
    others: dict[str, list[PurePosixPath]] = {}
    for path in map(PurePosixPath, relative_to(root, files_below(root))):
        if str(path) in read or path.name == CSV_NAME:
            continue
        if is_image(path, root):
            images.append(path)
        else:
            others.setdefault(path.suffix.lower() or "no suffix", []).append(path)
    tables = [path for suffix, paths in others.items() if suffix in TABLE_SUFFIXES for path in paths]
    labelled = _labelled(root, images, tables)
    folders = Counter(str(path.parent) for path in images if path not in labelled)
    tests = {folder for folder in folders if "test" in map(split_of, PurePosixPath(folder).parts)}
    ignored = {f"images in {folder}": count for folder, count in folders.items() if folder not in tests}
    ignored |= {f"{suffix} files" if len(paths) > 1 else str(paths[0]): len(paths) for suffix, paths in others.items()}
    found = {
        "labelled": Counter(f"images in {path.parent}, not read, by {how}" for path, how in labelled.items()),
        "unlabelled": {f"images in {folder}": folders[folder] for folder in tests},
        "ignored": ignored,
    }
    return {head: pd.Series(counts, dtype=int).sort_index() for head, counts in found.items()}


def _labelled(root: Path, images: Sequence[PurePosixPath], tables: Sequence[PurePosixPath]) -> dict[PurePosixPath, str]:
    """Map the images that a table names with a label to that table and its column."""
    found: dict[PurePosixPath, str] = {}
    try:
        known = image_tables(root, [*images, *tables]) if images and tables else []
    except UserError:  # a table of masks
        return found
    for table in known:
        columns, named = label_columns(table.others)
        if table.is_submission or not named:
            continue
        names = list(table.table[table.image].str.strip())
        for folder in folders_of_images(table, images):
            below = [str(path) for path in images if path.is_relative_to(folder)]
            named_images = match_names(below, below, names).paths
            found |= {PurePosixPath(path): f"{table.file.name} ({columns[0]})" for path in named_images if path}
    return found
