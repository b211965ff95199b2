"""A folder for each class, with or without a folder for each split above or below it."""

from __future__ import annotations

from pathlib import Path, PurePath

import pandas as pd

from medtransfer.layouts.files import images_below, is_junk, split_folders
from medtransfer.study import Layout


def read_class_folders(root: Path, layout: Layout) -> tuple[pd.DataFrame, list[str]]:
    """Read `CLASS/…/image`; the class is the first folder, or `layout.depth` further down. No split is published."""
    return _read_classes(root, root, None, layout.depth)


def read_split_folders(root: Path, layout: Layout) -> tuple[pd.DataFrame, list[str]]:
    """Read `SPLIT/CLASS/…/image`, the splits named train, val or valid, test."""
    folders = split_folders(root)
    if not folders:
        return pd.DataFrame(), [f"{root}: expected folders named train, val, test; found {_names(root)}"]
    tables, problems = [], []
    for split, folder in folders.items():
        table, found = _read_classes(root, folder, split, layout.depth)
        tables.append(table)
        problems += found
    return pd.concat(tables, ignore_index=True), problems


def read_class_split_folders(root: Path, layout: Layout) -> tuple[pd.DataFrame, list[str]]:
    """Read `CLASS/SPLIT/…/image`: every class has the folders train, val or valid, test of its own."""
    rows, problems = [], []
    for folder in _folders(root):
        splits = split_folders(folder)
        if not splits:
            problems.append(f"{folder.name}: expected folders named train, val, test; found {_names(folder)}")
        for image in images_below(folder):
            path = image.relative_to(root).as_posix()
            split = next((name for name, below in splits.items() if below in image.parents), None)
            rows.append({"path": path, "label": folder.name, "split": split})
            if splits and split is None:
                problems.append(f"{path}: stands in no split folder")
    return pd.DataFrame(rows, columns=["path", "label", "split"]), problems


def _read_classes(root: Path, folder: Path, split: str | None, depth: int) -> tuple[pd.DataFrame, list[str]]:
    rows, problems = [], []
    for image in images_below(folder):
        below = image.relative_to(folder).parts
        path = image.relative_to(root).as_posix()
        if len(below) <= depth + 1:
            problems.append(f"{path}: stands in no class folder")
        else:
            rows.append({"path": path, "label": below[depth], "split": split})
    problems += [
        f"{child.relative_to(root).as_posix()}: a class folder without images"
        for child in _folders(folder, depth)
        if not images_below(child)
    ]
    return pd.DataFrame(rows, columns=["path", "label", "split"]), problems


def _folders(folder: Path, depth: int = 0) -> list[Path]:
    children = sorted(child for child in folder.iterdir() if child.is_dir() and not is_junk(PurePath(child.name)))
    return [below for child in children for below in _folders(child, depth - 1)] if depth else children


def _names(root: Path) -> str:
    return ", ".join(sorted(path.name for path in root.iterdir() if path.is_dir())[:8]) or "no folder at all"
