"""The one way into the layouts: a set's folder in, one row an image out."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.layouts.files import images_below
from medtransfer.data.layouts.folders import (
    read_class_folders,
    read_class_split_folders,
    read_images,
    read_split_folders,
)
from medtransfer.data.layouts.label_csv import read_label_csv
from medtransfer.data.layouts.one_hot_csv import read_one_hot_csv
from medtransfer.study import Layout
from medtransfer.util.errors import UserError

READERS = {
    "one_hot_csv": read_one_hot_csv,
    "class_folders": read_class_folders,
    "split_folders": read_split_folders,
    "class_split_folders": read_class_split_folders,
    "label_csv": read_label_csv,
    "images": read_images,
}


def read_layout(
    root: Path, layout: Layout, masks: Collection[str] = frozenset(), least_classes: int = 2
) -> pd.DataFrame:
    """Read a set by an explicit layout (`detect.resolve_layout` makes one of `auto`), leaving `masks` out.

    Returns a table sorted by path: path (relative to `root`), label, split (train, val, test or missing),
    and the further columns of a label CSV. Raises `UserError` with every row without a file, file without
    a row, image without a label, and where there are fewer classes than `least_classes`.
    """
    base = root / layout.root
    if not base.is_dir():
        raise UserError(f"data.layout.root: {layout.root} is no folder of the set")
    left_out = {root / path for path in masks}
    images = [path for path in images_below(base) if path not in left_out]
    table, problems = READERS[layout.kind](base, layout, images)
    if not problems and table.empty:
        problems = [f"{base}: no images were found by layout {layout.kind}"]
    if not problems and table["label"].nunique() < least_classes:
        problems = [f"{base}: expected two or more classes, but got only {table['label'].iloc[0]!r}"]
    if problems:
        within = "" if base == root else f"in {layout.root}: "
        raise UserError([within + problem for problem in problems])
    table["path"] = [str(PurePosixPath(layout.root) / path) for path in table["path"]]
    return table.sort_values("path", ignore_index=True)
