"""A folder for each class, with or without a folder for each split above or below it; or no classes at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

import pandas as pd

from medtransfer.data.layouts.files import is_junk, split_folders, split_of, within
from medtransfer.study import Layout

UNLABELLED = "unlabelled"
"""Stands for the label of every image of a set that has none."""


def read_class_folders(root: Path, layout: Layout, images: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read `CLASS/…/image`; the class is the first folder, or `layout.depth` further down. No split is published."""
    return _read_classes(root, root, None, layout.depth, images)


def read_split_folders(root: Path, layout: Layout, images: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read `SPLIT/CLASS/…/image`, the splits named train, val or valid, test."""
    folders = split_folders(root)
    if not folders:
        return pd.DataFrame(), [f"{root}: expected folders named train, val, test; found {_names(root)}"]
    tables, problems = [], []
    for split, folder in folders.items():
        table, found = _read_classes(root, folder, split, layout.depth, images)
        tables.append(table)
        problems += found
    return pd.concat(tables, ignore_index=True), problems


def read_class_split_folders(root: Path, layout: Layout, images: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read `CLASS/SPLIT/…/image`: every class has the folders train, val or valid, test of its own."""
    rows, problems = [], []
    for folder in _folders(root):
        splits = split_folders(folder)
        if not splits:
            problems.append(f"{folder.name}: expected folders named train, val, test; found {_names(folder)}")
        for image in within(folder, images):
            path = image.relative_to(root).as_posix()
            split = next((name for name, below in splits.items() if below in image.parents), None)
            rows.append({"path": path, "label": folder.name, "split": split})
            if splits and split is None:
                problems.append(f"{path}: stands in no split folder")
    return pd.DataFrame(rows, columns=["path", "label", "split"]), problems


def read_images(root: Path, layout: Layout, images: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read all images below the root, without labels; the first folder that is named as a split is one."""
    rows = []
    for image in images:
        path = image.relative_to(root)
        split = next((found for part in path.parts[:-1] if (found := split_of(part))), None)
        rows.append({"path": path.as_posix(), "label": UNLABELLED, "split": split})
    return pd.DataFrame(rows, columns=["path", "label", "split"]), []


def _read_classes(
    root: Path, folder: Path, split: str | None, depth: int, images: Sequence[Path]
) -> tuple[pd.DataFrame, list[str]]:
    rows, problems = [], []
    for image in within(folder, images):
        below = image.relative_to(folder).parts
        path = image.relative_to(root).as_posix()
        if len(below) <= depth + 1:
            problems.append(f"{path}: stands in no class folder")
        else:
            rows.append({"path": path, "label": below[depth], "split": split})
    problems += [
        f"{child.relative_to(root).as_posix()}: a class folder without images"
        for child in _folders(folder, depth)
        if not within(child, images)
    ]
    return pd.DataFrame(rows, columns=["path", "label", "split"]), problems


def _folders(folder: Path, depth: int = 0) -> list[Path]:
    children = sorted(child for child in folder.iterdir() if child.is_dir() and not is_junk(PurePath(child.name)))
    return [below for child in children for below in _folders(child, depth - 1)] if depth else children


def _names(root: Path) -> str:
    return ", ".join(sorted(path.name for path in root.iterdir() if path.is_dir())[:8]) or "no folder at all"
