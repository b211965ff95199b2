"""Image files below a folder, and the folder names that stand for splits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import TypeVar

from medtransfer.study import JoinedTable
from medtransfer.util.errors import UserError

AnyPath = TypeVar("AnyPath", bound=PurePath)
DICOM_SUFFIXES = frozenset((".dcm", ".dicom"))
IMAGE_SUFFIXES = DICOM_SUFFIXES | frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pbm", ".pgm", ".ppm")
)
SPLIT_NAMES = {
    name: split
    for split, names in {"train": "train training", "val": "val valid validation dev", "test": "test testing"}.items()
    for name in names.split()
}
JUNK = frozenset(("thumbs.db", "desktop.ini"))


def words(name: str) -> list[str]:
    """Split the name of a file, folder or column into words, in lower case."""
    return [word for word in re.split(r"[\W_]+", name.lower()) if word]


NEUTRAL_WORDS = frozenset(words("data dataset set images image imgs img files pictures photos scans folder"))
"""Words in the name of a folder that do not distinguish its images from others."""


def is_junk(path: PurePath) -> bool:
    """Return whether a relative path is hidden or left behind by an operating system, or in such a folder."""
    return path.name.lower() in JUNK or any(part.startswith((".", "__MACOSX")) for part in path.parts)


def files_below(folder: Path) -> list[Path]:
    """List all files below `folder`, sorted by path, without junk (`is_junk`)."""
    return sorted(path for path in folder.rglob("*") if not is_junk(path.relative_to(folder)) and path.is_file())


def images_below(folder: Path) -> list[Path]:
    """List the image files below `folder`, sorted by path, without junk (`is_junk`)."""
    return images_of(files_below(folder))


def images_of(files: Iterable[AnyPath]) -> list[AnyPath]:
    """Keep the files that are images by their suffix."""
    return [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]


class ImageFiles(list[Path]):
    """The images to read, and what the params say of tables that name them.

    root: the folder of the set. unwanted: images that are left out, but that tables may name. tables: to be joined.
    """

    root = Path()
    unwanted: Sequence[Path] = ()
    tables: Sequence[JoinedTable] = ()


def file_of_set(name: str, *folders: Path) -> Path:
    """Return the file of that name in the first of the folders that has it; if none does, in the first."""
    return next((folder / name for folder in folders if (folder / name).is_file()), folders[0] / name)


def within(folder: Path, images: Sequence[Path]) -> list[Path]:
    """Keep the images below `folder`."""
    return [image for image in images if image.is_relative_to(folder)]


def shared_start(places: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the folders with which all places, each a tuple of folders, begin."""
    shared = []
    for names in zip(*places, strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    return tuple(shared)


def split_of(name: str) -> str | None:
    """Return the split that the name of a folder stands for: `train`, `Valid`, `test_images`, `training set`."""
    telling = [word for word in words(name) if word not in NEUTRAL_WORDS]
    return SPLIT_NAMES.get(telling[0]) if len(telling) == 1 else None


def names_split(name: str) -> bool:
    """Return whether a word in the name of a folder is that of a split: `stage_2_train`, `boneage-test-dataset`."""
    return not SPLIT_NAMES.keys().isdisjoint(words(name))


def split_folders(root: Path) -> dict[str, Path]:
    """Map `train`, `val`, `test` to the folders directly below `root` that have such a name.

    A plain name (`train`) is preferred to one with neutral words (`train_images`). Raises `UserError` if two
    folders have names of the same split.
    """
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not is_junk(PurePath(path.name)))
    plain = {folder: SPLIT_NAMES.get(folder.name.lower()) for folder in folders}
    found: dict[str, Path] = {}
    problems = []
    for folder in folders:
        split = plain[folder]
        if split is None and split_of(folder.name) not in plain.values():
            split = split_of(folder.name)
        if split in found:
            names = f"{found[split].name} and {folder.name}"
            problems.append(f"{root}: expected one folder of split {split}, but got {names}")
        elif split is not None:
            found[split] = folder
    if problems:
        raise UserError(problems)
    return found
