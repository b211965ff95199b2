"""Copied folders within a set: the same files, byte for byte, in a folder of the same name elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from medtransfer.data.layouts.files import files_below, images_of, split_of

Folders = tuple[str, ...]
CHUNK = 1 << 20
ENDS = 4096


def find_copies(root: Path, base: str) -> dict[str, str]:
    """Map the images of each copied folder below `base` to their originals, as paths relative to `root`.

    A folder is a copy if its path ends like that of another folder with files of the same names and bytes (`all/yes`
    and `yes`; `set/train/a` and `set/set/train/a`), and if the folder around it contains nothing else and is not a
    split. Sizes are compared first, then the ends of files, then whole files; nothing is read if no folder name
    recurs.
    """
    images = images_of(path.relative_to(root) for path in files_below(root / base))
    folders: dict[Folders, dict[str, PurePosixPath]] = {}
    for image in map(PurePosixPath, (path.as_posix() for path in images)):
        folders.setdefault(image.parts[:-1], {})[image.name] = image
    copies: dict[Folders, Folders] = {}
    for folder in sorted(folders, key=lambda parts: (-len(parts), parts)):
        for original in _originals(folder, folders):
            if original not in copies and _same(root, folders[folder], folders[original]):
                copies[folder] = original
                break
    whole = [folder for folder in copies if _only_copies(folder, copies, folders)]
    return {
        str(image): str(folders[copies[folder]][name]) for folder in whole for name, image in folders[folder].items()
    }


def _originals(folder: Folders, folders: Iterable[Folders]) -> list[Folders]:
    """Return the other folders whose path is the end of that of `folder`, below the folders that contain both."""
    found = []
    names = tuple(name.casefold() for name in folder)
    known = set(folders)
    for start in range(len(folder)):  # the folders that contain both
        for at in range(start + 1, len(folder)):  # where the copied path begins
            other = folder[:start] + folder[at:]
            if other in known and not any(split_of(name) for name in folder[start:at]):
                found.append(other)
    twins = [other for other in known if other < folder and tuple(name.casefold() for name in other) == names]
    return found + twins


def _only_copies(folder: Folders, copies: dict[Folders, Folders], folders: Iterable[Folders]) -> bool:
    """Return whether the folder around a copied folder contains only copies and their originals."""
    original = copies[folder]
    start = next((at for at, (a, b) in enumerate(zip(folder, original, strict=False)) if a != b), len(original))
    wrapper = folder[: start + max(len(folder) - len(original), 1)]
    inside = {other for other in folders if other[: len(wrapper)] == wrapper}
    return inside <= set(copies) | set(copies.values())


def _same(root: Path, first: dict[str, PurePosixPath], second: dict[str, PurePosixPath]) -> bool:
    if first.keys() != second.keys():
        return False
    pairs = [(root / path, root / second[name]) for name, path in first.items()]
    return (
        all(0 < one.stat().st_size == other.stat().st_size for one, other in pairs)
        and all(_ends(one) == _ends(other) for one, other in pairs)
        and all(_equal(one, other) for one, other in pairs)
    )


def _ends(path: Path) -> tuple[bytes, bytes]:
    with path.open("rb") as file:
        head = file.read(ENDS)
        file.seek(-min(ENDS, path.stat().st_size), 2)
        return head, file.read(ENDS)


def _equal(first: Path, second: Path) -> bool:
    with first.open("rb") as one, second.open("rb") as other:
        while (chunk := one.read(CHUNK)) == other.read(CHUNK):
            if not chunk:
                return True
    return False
