"""The files of a set: which of them are images, and which folder names stand for splits."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from glob import escape
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, TypeVar

from medtransfer.study import JoinedTable
from medtransfer.util.errors import UserError

if TYPE_CHECKING:
    from medtransfer.data.targets import Target

AnyPath = TypeVar("AnyPath", bound=PurePath)
DICOM_SUFFIXES = frozenset((".dcm", ".dicom"))
IMAGE_SUFFIXES = DICOM_SUFFIXES | frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".j2k", ".jpx", ".bmp", ".gif", ".tif", ".tiff", ".webp",
     ".avif", ".pbm", ".pgm", ".ppm", ".pnm")
)  # fmt: skip
SIGNATURE = re.compile(
    rb"\x89PNG|\xff\xd8\xff|GIF8|II\*\0|MM\0\*|BM.{4}\0{4}|RIFF.{4}WEBP|\0\0\0\x0cjP  |.{128}DICM", re.DOTALL
)
"""The first bytes of an image."""
HEAD = 132
NUMBERED = re.compile(r"\.\d*")
"""A number that only looks like an extension: names of DICOM files are often UIDs."""
SPLIT_NAMES = {
    name: split
    for split, names in {"train": "train training", "val": "val valid validation dev", "test": "test testing"}.items()
    for name in names.split()
}
JUNK = frozenset(("thumbs.db", "desktop.ini", "@eadir", "icon\r"))


def words(name: str) -> list[str]:
    """Split the name of a file, folder or column into words, in lower case."""
    return [word for word in re.split(r"[\W_]+", name.lower()) if word]


NEUTRAL_WORDS = frozenset(words("data dataset set images image imgs img files pictures photos scans folder"))
"""Words in the name of a folder that do not distinguish its images from others."""


def is_junk(path: PurePath) -> bool:
    """Return whether a relative path is hidden or left behind by an operating system, or in such a folder."""
    return any(map(_is_junk, path.parts))


def files_below(folder: Path) -> list[Path]:
    """List all files below `folder`, sorted by path, without junk (`is_junk`).

    Links to folders are followed, except to folders that contain them.
    """
    return sorted(map(Path, _walk(str(folder), ())), key=lambda path: path.parts)


def images_below(folder: Path) -> list[Path]:
    """List the image files below `folder`, sorted by path, without junk (`is_junk`)."""
    return images_of(files_below(folder))


def images_of(files: Iterable[AnyPath], base: Path = Path()) -> list[AnyPath]:
    """Keep the files, relative to `base`, that are images: by their extension or, if they have none, by content."""
    return [file for file in files if is_image(file, base)]


def is_image(file: PurePath, base: Path) -> bool:
    """Return whether a file, relative to `base`, is an image by its extension or, without one, by its first bytes."""
    suffix = file.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return True
    return (not suffix or NUMBERED.fullmatch(suffix) is not None) and _looks_like_an_image(base / file)


def stem_of(name: str) -> str:
    """Return a path or name without the extension of an image; any other name is kept whole."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and stem and f".{suffix.lower()}" in IMAGE_SUFFIXES else name


class ImageFiles(list[Path]):
    """The images to read, and what the params say of tables that name them.

    root: the folder of the set. unwanted: images that are left out, but that tables may name. tables: to be joined.
    target: what is to be predicted.
    """

    root = Path()
    unwanted: Sequence[Path] = ()
    tables: Sequence[JoinedTable] = ()
    target: Target | None = None


def file_of_set(name: str, *folders: Path) -> Path:
    """Return the file, or sheet of a workbook, of that name in the first folder that has it, or in the first."""
    paths = [folder / name for folder in folders]
    return next((path for path in paths if path.is_file() or path.parent.is_file()), paths[0])


def within(folder: Path, images: Sequence[Path]) -> list[Path]:
    """Keep the images below `folder`."""
    start = f"{folder}{os.sep}" if folder.parts else ""
    return [image for image in images if str(image).startswith(start)]


def relative_to(folder: Path, paths: Iterable[Path]) -> list[str]:
    """Return POSIX paths relative to `folder`, which contains them all: much faster than `Path.relative_to`."""
    start = len(str(folder)) + 1 if folder.parts else 0
    return [path.as_posix()[start:] for path in paths]


def _is_junk(name: str) -> bool:
    return name.startswith((".", "__MACOSX")) or name.lower() in JUNK


def _walk(folder: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
    if not Path(folder).is_dir():
        return
    about = Path(folder).stat()
    if (about.st_dev, about.st_ino) in above:
        return
    above = (*above, (about.st_dev, about.st_ino))
    with os.scandir(folder) as entries:
        for entry in entries:
            if _is_junk(entry.name):
                continue
            if entry.is_dir():
                yield from _walk(entry.path, above)
            elif entry.is_file():
                yield entry.path


@lru_cache(maxsize=1 << 16)
def _looks_like_an_image(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return SIGNATURE.match(file.read(HEAD)) is not None
    except OSError:
        return False


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


def split_folders(root: Path, images: Sequence[Path]) -> dict[str, Path]:
    """Map `train`, `val`, `test` to the folders directly below `root` that have such a name and hold `images`.

    A plain name (`train`) is preferred to one with neutral words (`train_images`). Raises `UserError` if two
    folders have names of the same split.
    """
    names = {name.partition("/")[0] for name in relative_to(root, within(root, images)) if "/" in name}
    folders = [root / name for name in sorted(names)]
    plain = {folder: SPLIT_NAMES.get(folder.name.lower()) for folder in folders}
    found: dict[str, Path] = {}
    problems = []
    for folder in folders:
        split = plain[folder]
        if split is None and split_of(folder.name) not in plain.values():
            split = split_of(folder.name)
        if split in found:
            both = [found[split].name, folder.name]
            ways = " or ".join(f'{{exclude: ["*{escape(name)}/*"]}}' for name in both)
            problems.append(
                f"{root}: expected one folder of split {split}, but got {both[0]} and {both[1]}; to leave one out: "
                f"data.files: {ways}"
            )
        elif split is not None:
            found[split] = folder
    if problems:
        raise UserError(problems)
    return found
