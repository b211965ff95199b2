"""A folder for each class, with or without a folder for each split above it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from medtransfer.layouts.files import images_below, split_folders


def read_class_folders(root: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read `CLASS/…/image`; the class is the first folder. No split is published."""
    return _read_classes(root, root, None)


def read_split_folders(root: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read `SPLIT/CLASS/…/image`, the splits named train, val or valid, test."""
    folders = split_folders(root)
    if not folders:
        return pd.DataFrame(), [f"{root}: expected folders named train, val, test; found {_names(root)}"]
    tables, problems = [], []
    for split, folder in folders.items():
        table, found = _read_classes(root, folder, split)
        tables.append(table)
        problems += found
    return pd.concat(tables, ignore_index=True), problems


def _read_classes(root: Path, folder: Path, split: str | None) -> tuple[pd.DataFrame, list[str]]:
    rows, problems = [], []
    for image in images_below(folder):
        below = image.relative_to(folder).parts
        path = image.relative_to(root).as_posix()
        if len(below) == 1:
            problems.append(f"{path}: stands in no class folder")
        else:
            rows.append({"path": path, "label": below[0], "split": split})
    problems += [
        f"{child.relative_to(root).as_posix()}: a class folder without images"
        for child in sorted(folder.iterdir())
        if child.is_dir() and not child.name.startswith((".", "__MACOSX")) and not images_below(child)
    ]
    return pd.DataFrame(rows, columns=["path", "label", "split"]), problems


def _names(root: Path) -> str:
    return ", ".join(sorted(path.name for path in root.iterdir() if path.is_dir())[:8]) or "no folder at all"
