"""Which folders are splits and which are classes, judged by names and by where the images stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from medtransfer.data.layouts.files import NEUTRAL_WORDS, shared_start, split_of, words
from medtransfer.study import Layout

Folders = tuple[str, ...]

MOST_NUMBERED = 20
"""More folders than this that differ only in a number are rather patients than classes."""


def folder_layouts(images: Sequence[PurePosixPath]) -> list[Layout]:
    """Give every layout of folders that the paths of the images admit: none, one, or several."""
    places = [image.parts[:-1] for image in images]
    above = {place: place[:at] for place in set(places) if (at := _split_at(place)) is not None}
    roots = sorted(set(above.values()))
    if not roots:
        return _class_layouts(places)
    found = [layout for root in roots for layout in _split_layouts(root, [p for p in places if above.get(p) == root])]
    parents = {root[:-1] for root in roots}
    if not found and len(roots) > 1 and len(parents) == 1:
        found = [Layout(kind="class_split_folders", root=_path(*parents))]
    return found


def only_numbered(names: Sequence[str]) -> bool:
    """Say whether names differ in a number alone (`part_1`, `part_2`); bare numbers are names of classes."""
    return len({re.sub(r"\d+", "#", name) for name in names}) == 1 and not all(name.isdigit() for name in names)


def class_names(images: Sequence[PurePosixPath], layout: Layout) -> list[str]:
    """List the folders that a layout of folders takes for classes."""
    root = PurePosixPath(layout.root).parts
    places = {image.parts[:-1] for image in images}
    at = len(root) + layout.depth
    if layout.kind == "split_folders":
        at += 1
        places = {place for place in places if _split_at(place) == len(root)}
    return sorted({place[at] for place in places if place[: len(root)] == root and len(place) > at})


def _split_at(place: Folders) -> int | None:
    return next((at for at, name in enumerate(place) if split_of(name)), None)


def _split_layouts(root: Folders, places: Sequence[Folders]) -> list[Layout]:
    depth = 0
    below = [(place[len(root)], place[len(root) + 1 :]) for place in places]
    while _all_wrapped([(split, rest[depth:]) for split, rest in below]):
        depth += 1
    classes = {rest[depth] for _, rest in below if len(rest) > depth}
    return [Layout(kind="split_folders", root=_path(root), depth=depth)] if len(classes) > 1 else []


def _all_wrapped(below: Sequence[tuple[str, Folders]]) -> bool:
    """Say whether all that a split holds lies in one more folder, whose name says nothing (`train/train/CLASS`)."""
    if any(len(rest) < 2 for _, rest in below):
        return False
    wrappers = {(split, rest[0]) for split, rest in below}
    if len(wrappers) != len({split for split, _ in below}):
        return False
    neutral = all(split_of(name) or NEUTRAL_WORDS.issuperset(words(name)) for _, name in wrappers)
    return neutral or len({name for _, name in wrappers}) == 1


def _class_layouts(places: Sequence[Folders]) -> list[Layout]:
    root = shared_start(places)
    second: dict[str, set[str]] = {}
    for place in places:
        if len(place) > len(root):
            second.setdefault(place[len(root)], set()).add("/".join(place[len(root) + 1 : len(root) + 2]))
    if len(second) < 2:
        return []
    layouts = [Layout(kind="class_folders", root=_path(root))]
    names = list(second.values())
    if len(names[0]) > 1 and "" not in names[0] and all(other == names[0] for other in names):
        layouts.append(Layout(kind="class_folders", root=_path(root), depth=1))
    return layouts


def _path(folders: Folders) -> str:
    return str(PurePosixPath(*folders))
