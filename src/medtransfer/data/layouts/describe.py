"""What was understood of a set, as a short table for its user to confirm."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import pandas as pd

from medtransfer.data.layouts.files import IMAGE_SUFFIXES, files_below
from medtransfer.study import Layout

MOST_ROWS = 20


def as_yaml(layout: Layout) -> str:
    """Write a layout as it would stand in `params.yaml` after `layout:`."""
    fields = layout.model_dump(exclude_defaults=True)
    if list(fields) == ["kind"]:
        return layout.kind
    return "{" + ", ".join(f"{name}: {_scalar(value)}" for name, value in fields.items()) + "}"


def describe_set(root: Path, layout: Layout, table: pd.DataFrame, masks: Mapping[str, list[str]] = {}) -> str:
    """Lay out, in aligned columns, the layout, its root, classes, splits, masks and the files that were passed over."""
    splits = table["split"].fillna("none published").value_counts(sort=False)
    rows = [("layout", as_yaml(layout), ""), ("root", str(root / layout.root), "")]
    rows += _block("classes", table["label"].value_counts().sort_index())
    rows += _block("splits", splits.sort_index())
    if masks:
        rows += _block("masks", pd.Series({"images with masks": len(masks), "masks": sum(map(len, masks.values()))}))
    rows += _block("ignored", _ignored(root, layout, {*table["path"], *chain.from_iterable(masks.values())}))
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
    """Count what the layout did not read: images by their first folder, other files by their suffix."""
    counts: Counter[str] = Counter()
    for file in files_below(root):
        path = file.relative_to(root)
        if path.as_posix() in read or file.name == "_classes.csv" or file == root / layout.root / str(layout.file):
            continue
        if file.suffix.lower() in IMAGE_SUFFIXES:
            counts[f"images in {path.parent.as_posix()}"] += 1
        else:
            counts[f"{file.suffix.lower() or 'no suffix'} files"] += 1
    return pd.Series(counts, dtype=int).sort_index()


def _scalar(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_scalar(item) for item in value) + "]"
    text = str(value)
    return text if re.fullmatch(r"[\w./][\w./ -]*", text) and text == text.strip() else json.dumps(text)
