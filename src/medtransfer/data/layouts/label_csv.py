"""One CSV of labels: a column with the image's name or path, one with its label, perhaps one with its split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from medtransfer.data.layouts.files import SPLIT_NAMES
from medtransfer.data.layouts.tables import match_images, read_table
from medtransfer.study import Layout
from medtransfer.util.errors import near


def read_label_csv(root: Path, layout: Layout, images: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read the CSV named by `layout` and find each row's image below `layout.images`.

    A name may be a path or a bare name, with or without its extension. The other columns of the CSV are
    kept, so that a group may be one of them.
    """
    table, problems = open_table(root, layout)
    if table is None:
        return pd.DataFrame(), problems
    return label_rows(root, table, table[layout.label], layout, images)


def open_table(root: Path, layout: Layout) -> tuple[pd.DataFrame | None, list[str]]:
    """Open the CSV named by `layout`; where it or a folder or column is missing, give none and the problems."""
    path = root / str(layout.file)
    if not path.is_file():
        return None, [f"data.layout.file: {layout.file} is not in the set"]
    try:
        table = read_table(path)
    except ValueError as error:
        return None, [f"{layout.file}: not a CSV table: {error}"]
    wanted = [("image", layout.image), ("label", layout.label), ("split", layout.split)]
    wanted += [("classes", name) for name in layout.classes or []]
    problems = [
        f"data.layout.{key}: {layout.file} has no column {name!r}{near(name, table.columns)}"
        for key, name in wanted
        if name is not None and name not in table.columns
    ]
    if not (root / layout.images).is_dir():
        problems.append(f"data.layout.images: {layout.images} is no folder of the set")
    return (None if problems else table), problems


def label_rows(
    root: Path, table: pd.DataFrame, labels: pd.Series, layout: Layout, images: Sequence[Path]
) -> tuple[pd.DataFrame, list[str]]:
    """Join the rows of an opened CSV, one label each, with the images that they name."""
    names = table[layout.image].str.strip()
    found = match_images(root, root / layout.images, images, names)
    problems = [f"{layout.file}: {line}" for line in found.problems]
    rows = table.drop(columns=[name for name in ("path", "label", "split") if name in table])
    rows = rows.assign(path=found.paths, label=labels.str.strip(), split=None)
    if layout.split is not None:
        rows["split"] = table[layout.split].str.strip().str.lower().map(SPLIT_NAMES)
        unknown = sorted(set(table[layout.split][rows["split"].isna()]))
        problems += [f"{layout.file}: {value!r} is no split; expected train, val, test" for value in unknown]
    problems += [f"{layout.file}: {name}: has no label" for name in names[rows["label"] == ""]]
    twice = rows["path"][rows["path"].duplicated() & (rows["path"] != "")]
    problems += [f"{layout.file}: {path} stands in more than one row" for path in sorted(set(twice))]
    problems += [f"{path}: has no row in {layout.file}" for path in found.left]
    return rows, problems
