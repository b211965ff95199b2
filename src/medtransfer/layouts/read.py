"""The one way into the layouts: a set's folder in, one row an image out."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.errors import UserError
from medtransfer.layouts.folders import read_class_folders, read_class_split_folders, read_split_folders
from medtransfer.layouts.label_csv import read_label_csv
from medtransfer.layouts.one_hot_csv import read_one_hot_csv
from medtransfer.study import Layout

READERS = {
    "one_hot_csv": read_one_hot_csv,
    "class_folders": read_class_folders,
    "split_folders": read_split_folders,
    "class_split_folders": read_class_split_folders,
    "label_csv": read_label_csv,
}


def read_layout(root: Path, layout: Layout) -> pd.DataFrame:
    """Read a classification set by an explicit layout (`detect.resolve_layout` makes one of `auto`).

    Returns a table sorted by path: path (relative to `root`), label, split (train, val, test or missing),
    and the further columns of a label CSV. Raises `UserError` with every row without a file, file without
    a row, and image without a label.
    """
    base = root / layout.root
    if not base.is_dir():
        raise UserError(f"data.layout.root: {layout.root} is no folder of the set")
    table, problems = READERS[layout.kind](base, layout)
    if not problems and table.empty:
        problems = [f"{base}: no images were found by layout {layout.kind}"]
    if not problems and table["label"].nunique() < 2:
        problems = [f"{base}: expected two or more classes, but got only {table['label'].iloc[0]!r}"]
    if problems:
        within = "" if base == root else f"in {layout.root}: "
        raise UserError([within + problem for problem in problems])
    table["path"] = [str(PurePosixPath(layout.root) / path) for path in table["path"]]
    return table.sort_values("path", ignore_index=True)
