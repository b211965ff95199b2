"""One one-hot CSV for the whole set: the image's name, and a 0/1 column for each class (ISIC, HAM10000)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from medtransfer.layouts.label_csv import label_rows, open_table
from medtransfer.study import Layout


def read_one_hot_table(root: Path, layout: Layout, images: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read the CSV named by `layout`; its classes are `layout.classes`, or all columns but image and split.

    Names are matched as those of `label_csv` are.
    """
    table, problems = open_table(root, layout)
    if table is None:
        return pd.DataFrame(), problems
    layout = layout.model_copy(update={"image": layout.image or table.columns[0]})
    classes = layout.classes or [name for name in table.columns if name not in (layout.image, layout.split)]
    marks = table[classes].apply(pd.to_numeric, errors="coerce")
    problems = [
        f"{layout.file}: column {name!r} holds {', '.join(sorted(set(table[name][wrong]))[:3])}, but a one-hot "
        "column holds 0 and 1; name the columns of classes as data.layout.classes"
        for name in classes
        if (wrong := ~marks[name].isin((0, 1))).any()
    ]
    if len(classes) < 2:
        problems.append(f"{layout.file}: expected a column for each of two or more classes, but got {len(classes)}")
    if problems:
        return pd.DataFrame(), problems
    marked = marks.sum(axis=1)
    problems = [
        f"{layout.file}: {name} has {number:g} classes marked, but one is expected"
        for name, number in zip(table[layout.image], marked, strict=True)
        if number != 1
    ]
    rows, unmatched = label_rows(root, table, marks.idxmax(axis=1), layout, images)
    return rows, problems + unmatched
