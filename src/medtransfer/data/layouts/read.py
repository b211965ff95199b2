"""Reading a set by its layout."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.layouts import LAYOUTS
from medtransfer.data.layouts.files import images_below
from medtransfer.study import Layout
from medtransfer.util.errors import UserError


def read_layout(
    root: Path, layout: Layout, masks: Collection[str] = frozenset(), least_classes: int = 2
) -> pd.DataFrame:
    """Read a set by an explicit layout (`detect.resolve_layout` makes one of `auto`), without the files `masks`.

    Returns a table sorted by path: path (relative to `root`), label, split (train, val, test or missing),
    and the further columns of a label CSV. Raises `UserError` with every row without a file, file without
    a row and image without a label, and if there are fewer classes than `least_classes`.
    """
    base = root / layout.root
    if not base.is_dir():
        raise UserError(f"data.layout.root: {layout.root} is not a folder of the set")
    left_out = {root / path for path in masks}
    images = [path for path in images_below(base) if path not in left_out]
    table, problems = LAYOUTS[layout.kind].read(base, layout, images)
    if not problems and table.empty:
        problems = [f"{base}: no images were found by layout {layout.kind}"]
    if not problems and table["label"].nunique() < least_classes:
        problems = [f"{base}: expected two or more classes, but got only {table['label'].iloc[0]!r}"]
    if not problems and (problem := _label_problem(sorted(table["label"].unique()))):
        problems = [f"{base}: {problem}"]
    if problems:
        within = "" if base == root else f"in {layout.root}: "
        raise UserError([within + problem for problem in problems])
    table["path"] = [str(PurePosixPath(layout.root) / path) for path in table["path"]]
    return table.sort_values("path", ignore_index=True)


def _label_problem(labels: Sequence[str]) -> str | None:
    """Return a problem if two labels differ only in case, spaces, signs, form of Unicode or of number."""
    found: dict[str, list[str]] = {}
    for label in labels:
        plain = re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", label)).strip().casefold()
        found.setdefault(re.sub(r"^(-?\d+)\.0+$", r"\1", plain), []).append(label)
    same = [sorted(names) for names in found.values() if len(names) > 1]
    if not same:
        return None
    shown = "; ".join(" and ".join(map(repr, names)) for names in same[:3])
    return f"one class has several names: {shown}; rename them, so that each class has one name"


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
    text = str(value)
    return text if re.fullmatch(r"[\w./][\w./ -]*", text) and text == text.strip() else json.dumps(text)
