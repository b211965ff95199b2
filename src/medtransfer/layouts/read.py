"""The one way into the layouts: a set's folder in, one row an image out."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from medtransfer.errors import UserError
from medtransfer.layouts.folders import read_class_folders, read_split_folders
from medtransfer.layouts.label_csv import read_label_csv
from medtransfer.layouts.one_hot_csv import read_one_hot_csv
from medtransfer.study import Layout


def read_layout(root: Path, layout: Layout) -> pd.DataFrame:
    """Read a classification set.

    Returns a table sorted by path: path (relative to `root`), label, split (train, val, test or missing),
    and the further columns of a label CSV. Raises `UserError` with every row without a file, file without
    a row, and image without a label.
    """
    readers = {
        "one_hot_csv": read_one_hot_csv,
        "class_folders": read_class_folders,
        "split_folders": read_split_folders,
    }
    if layout.kind == "label_csv":
        table, problems = read_label_csv(root, layout)
    else:
        table, problems = readers[layout.kind](root)
    if not problems and table.empty:
        problems = [f"{root}: no images were found by layout {layout.kind}"]
    if not problems and table["label"].nunique() < 2:
        problems = [f"{root}: expected two or more classes, but got only {table['label'].iloc[0]!r}"]
    if problems:
        raise UserError(problems)
    return table.sort_values("path", ignore_index=True)
