"""A folder for each class, with or without folders for the splits above or below it; or images without classes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath, PurePosixPath

import pandas as pd

from medtransfer.data.layouts import LAYOUTS, LayoutFormat, Reading
from medtransfer.data.layouts.files import (
    NEUTRAL_WORDS,
    images_below,
    images_of,
    is_junk,
    names_split,
    relative_to,
    shared_start,
    split_folders,
    split_of,
    within,
    words,
)  # fmt: skip
from medtransfer.study import Layout
from medtransfer.util.errors import many

UNLABELLED = "unlabelled"
"""The label of every image of a set without labels."""

MOST_NUMBERED_CLASSES, PATIENT_DIGITS = 10, 3
COLUMNS = ["path", "label", "split"]
Folders = tuple[str, ...]


def read_class_folders(root: Path, layout: Layout, images: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read `CLASS/…/image`; the class is the first folder, or `layout.depth` further down. No split is published."""
    return _read_classes(root, root, None, layout, images)


def read_split_folders(root: Path, layout: Layout, images: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read `SPLIT/CLASS/…/image`, with splits named train, val or valid, test.

    Test images without class folders, as competitions publish them, have no labels and are left out.
    """
    folders = split_folders(root, images)
    if not folders:
        return pd.DataFrame(), [f"{root}: {_expected_splits(root)}"]
    tables, problems = [], []
    if len(folders) > 1 and "test" in folders and _is_unlabelled(folders["test"], layout.depth, images):
        del folders["test"]
    for split, folder in folders.items():
        table, found = _read_classes(root, folder, split, layout, images)
        tables.append(table)
        problems += found
    return pd.concat(tables, ignore_index=True), problems


def read_class_split_folders(root: Path, layout: Layout, images: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read `CLASS/SPLIT/…/image`: each class has its own folders train, val or valid, test."""
    rows: list[dict[str, object]] = []
    outside: list[str] = []
    problems = []
    for folder in _folders(root):
        splits = split_folders(folder, images)
        if not splits:
            problems.append(f"{folder.name}: {_expected_splits(folder)}")
        inside = within(folder, images)
        by_name = {below.name: split for split, below in splits.items()}
        for path, name in zip(relative_to(root, inside), relative_to(folder, inside), strict=True):
            split = by_name.get(name.partition("/")[0]) if "/" in name else None
            rows.append({"path": path, "label": folder.name, "split": split})
            if splits and split is None:
                outside.append(path)
    return pd.DataFrame(rows, columns=COLUMNS), many(outside, "not in a split folder") + problems


def read_images(root: Path, layout: Layout, images: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read all images without labels; the split is that of the first folder named as one."""
    rows = []
    for path in relative_to(root, images):
        split = next((found for part in path.split("/")[:-1] if (found := split_of(part))), None)
        rows.append({"path": path, "label": UNLABELLED, "split": split})
    return pd.DataFrame(rows, columns=COLUMNS), []


def detect_split_folders(root: Path, files: Sequence[PurePosixPath]) -> list[Reading]:
    """Return a reading for each folder that holds folders of splits, if these hold at least two classes in all."""
    places = _places(root, files)
    found = []
    for folder in _parents_of_splits(places):
        inside = [place for place in places if _split_at(place) == len(folder) and place[: len(folder)] == folder]
        below = [(place[len(folder)], place[len(folder) + 1 :]) for place in inside]
        depth = 0
        while _all_wrapped([(split, rest[depth:]) for split, rest in below]):
            depth += 1
        classes = {rest[depth] for _, rest in below if len(rest) > depth}
        if len(classes) > 1:
            found.append(_reading(classes, kind="split_folders", root=_path(folder), depth=depth))
    return found


def detect_class_split_folders(root: Path, files: Sequence[PurePosixPath]) -> list[Reading]:
    """Return the reading in which the folders that hold folders of splits are classes, if only that is possible."""
    folders = [folder for folder in _parents_of_splits(_places(root, files)) if folder]
    parents = {folder[:-1] for folder in folders}
    if len(folders) < 2 or len(parents) > 1 or detect_split_folders(root, files):
        return []
    return [_reading({folder[-1] for folder in folders}, kind="class_split_folders", root=_path(*parents))]


def detect_class_folders(root: Path, files: Sequence[PurePosixPath]) -> list[Reading]:
    """Return the reading of the first folders that differ as classes, and of those below them if these agree."""
    places = _places(root, files)
    if _parents_of_splits(places):
        return []
    shared = shared_start(places)
    below: dict[str, set[str]] = {}
    for place in places:
        if len(place) > len(shared):
            below.setdefault(place[len(shared)], set()).add("/".join(place[len(shared) + 1 : len(shared) + 2]))
    if len(below) < 2:
        return []
    found = [] if all(map(names_split, below)) else [_reading(below, kind="class_folders", root=_path(shared))]
    first, *others = below.values()
    if len(first) > 1 and "" not in first and all(other == first for other in others):
        found.append(_reading(first, kind="class_folders", root=_path(shared), depth=1))
    return found


LAYOUTS.register("class_folders", LayoutFormat(read_class_folders, detect_class_folders))
LAYOUTS.register("split_folders", LayoutFormat(read_split_folders, detect_split_folders))
LAYOUTS.register("class_split_folders", LayoutFormat(read_class_split_folders, detect_class_split_folders))
LAYOUTS.register("images", LayoutFormat(read_images))


def only_numbered(names: Sequence[str]) -> bool:
    """Return whether names differ only in a number (`part_1`, `part_2`); names that are numbers do not count."""
    return len({re.sub(r"\d+", "#", name) for name in names}) == 1 and not all(name.isdigit() for name in names)


def are_patients(names: Sequence[str]) -> bool:
    """Return whether names are more than ten numbers of three or more digits, as those of patients."""
    return len(names) > MOST_NUMBERED_CLASSES and all(len(name) >= PATIENT_DIGITS and name.isdigit() for name in names)


def _read_classes(
    root: Path, folder: Path, split: str | None, layout: Layout, images: Sequence[Path]
) -> tuple[pd.DataFrame, list[str]]:
    rows, problems, depth = [], [], layout.depth
    inside = within(folder, images)
    seen: set[Folders] = set()
    for path, name in zip(relative_to(root, inside), relative_to(folder, inside), strict=True):
        below = tuple(name.split("/"))
        if len(below) <= depth + 1:
            problems.append(path)
        else:
            seen.add(below[: depth + 1])
            rows.append({"path": path, "label": below[depth], "split": split})
    empty: list[Path] = []
    if layout.missing == "fail":
        empty = [child for child in _folders(folder, depth) if child.relative_to(folder).parts not in seen]
        empty = [child for child in empty if not images_below(child)]
    return pd.DataFrame(rows, columns=COLUMNS), [
        *many(problems, "not in a class folder"),
        *many(relative_to(root, empty), "a class folder without images; missing: drop in data.layout ignores it"),
    ]


def _is_unlabelled(folder: Path, depth: int, images: Sequence[Path]) -> bool:
    """Return whether no image of a split is in a class folder, unless its name says nothing (`test/images`)."""
    below = [name.split("/")[:-1] for name in relative_to(folder, within(folder, images))]
    classes = {parts[depth] if len(parts) > depth else "" for parts in below}
    return len(classes) == 1 and all(_says_nothing(name) for name in classes)


def _says_nothing(name: str) -> bool:
    return split_of(name) is not None or NEUTRAL_WORDS.issuperset(words(name))


def _folders(folder: Path, depth: int = 0) -> list[Path]:
    children = sorted(child for child in folder.iterdir() if child.is_dir() and not is_junk(PurePath(child.name)))
    return [below for child in children for below in _folders(child, depth - 1)] if depth else children


def _expected_splits(root: Path) -> str:
    names = ", ".join(sorted(path.name for path in root.iterdir() if path.is_dir())[:8]) or "no folder"
    return f"expected folders named train, val, test; found {names}"


def _places(root: Path, files: Sequence[PurePosixPath]) -> list[Folders]:
    return sorted({image.parts[:-1] for image in images_of(files, root)})


def _parents_of_splits(places: Sequence[Folders]) -> list[Folders]:
    return sorted({place[:at] for place in places if (at := _split_at(place)) is not None})


def _split_at(place: Folders) -> int | None:
    return next((at for at, name in enumerate(place) if split_of(name)), None)


def _all_wrapped(below: Sequence[tuple[str, Folders]]) -> bool:
    """Return whether each split holds just one folder, whose name says nothing (`train/train/CLASS`)."""
    if any(len(rest) < 2 for _, rest in below):
        return False
    wrappers = {(split, rest[0]) for split, rest in below}
    if len(wrappers) != len({split for split, _ in below}):
        return False
    neutral = all(_says_nothing(name) for _, name in wrappers)
    return neutral or len({name for _, name in wrappers}) == 1


def _reading(classes: Iterable[str], **layout: object) -> Reading:
    return Reading(Layout.model_validate(layout), "named", tuple(sorted(classes)))


def _path(folders: Folders) -> str:
    return str(PurePosixPath(*folders))
