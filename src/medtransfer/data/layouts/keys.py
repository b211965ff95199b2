"""Names in tables that stand for several images: those of a folder, patient or case."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.layouts.files import IMAGE_SUFFIXES, relative_to, shared_start, split_of, stem_of, within
from medtransfer.data.layouts.tables import find_places, loose, match_names

MOST_TRIED = 500
"""Images of a large set that are tried first: if none begins with a key, few of the others do."""
SEPARATOR = re.compile(r"[\W_]+")


def images_named(root: Path, folder: Path, images: Sequence[Path], names: Sequence[str]) -> list[list[str]]:
    """Return the images below `folder`, by their paths below `root`, that each name refers to.

    These are an image, or, if no name is that of one, all images of the folder, patient or case of that name.
    """
    files = within(folder, images)
    below, places = relative_to(folder, files), relative_to(root, files)
    found = [[path] if path else [] for path in match_names(below, places, list(names)).paths]
    return found if any(found) else images_of_keys(below, places, names)


def images_of_keys(below: Sequence[str], places: Sequence[str], keys: Sequence[str]) -> list[list[str]]:
    """Return the images of each key, by `places`: of `below`, the same files, folders or beginnings of names are keys.

    Folders are named like images in a table: by path or bare name, perhaps with other leading zeros, or by the path of
    a file that they held elsewhere, if they hold one image. A beginning ends before a sign that is no letter or digit.
    """
    inside: dict[str, list[str]] = {}
    start = len(shared_start([tuple(path.split("/")[:-1]) for path in below]))  # such folders tell no images apart
    for path, place in zip(below, places, strict=True):
        parts = path.split("/")[start:-1]
        for at in range(1, len(parts) + 1):
            inside.setdefault("/".join(parts[:at]), []).append(place)
    keys = [key.replace("\\", "/").strip("/ ") for key in keys]
    found = [_below(folders, inside) for folders in find_places(list(inside), list(inside), keys)]
    if not any(found):
        files = [PurePosixPath(key) for key in keys]
        parents = [str(file.parent) if file.suffix.lower() in IMAGE_SUFFIXES else "" for file in files]
        holders = find_places(list(inside), list(inside), parents)
        found = [images if len(images := _below(folders, inside)) == 1 else [] for folders in holders]
    return found if any(found) else _of_beginnings(below, places, keys)


def spread(table: pd.DataFrame, found: Sequence[Sequence[str]], missing: bool = True) -> tuple[pd.DataFrame, list[str]]:
    """Return a row for each image that is found for a row of a table, and the images; `missing`: keep rows without."""
    counts = [max(len(images), missing) for images in found]
    paths = [path for images in found for path in (images or [""] * missing)]
    return table.loc[table.index.repeat(counts)].reset_index(drop=True), paths


def _below(folders: Sequence[str], inside: dict[str, list[str]]) -> list[str]:
    """Return the images of folders of one name; none if they are in several splits, whose patients may differ."""
    splits = {next(filter(None, map(split_of, PurePosixPath(folder).parts)), None) for folder in folders}
    return list(dict.fromkeys(image for folder in folders for image in inside[folder])) if len(splits) == 1 else []


def _of_beginnings(below: Sequence[str], places: Sequence[str], keys: Sequence[str]) -> list[list[str]]:
    """Return the images with a part of their path that begins with a key; none for any key if one image has two."""
    found: dict[str, list[str]] = {loose(key): [] for key in keys if key}

    def starts_of(path: str) -> set[str]:
        parts = stem_of(path).split("/")
        return {loose(part[: sign.start()]) for part in parts for sign in SEPARATOR.finditer(part)} & found.keys()

    few = below[:: len(below) // MOST_TRIED or 1]
    for path, place in zip(below, places, strict=True) if any(map(starts_of, few)) else ():
        starts = starts_of(path)
        if len(starts) > 1:
            return [[] for _ in keys]
        if starts:
            found[starts.pop()].append(place)
    return [found.get(loose(key), []) for key in keys]
