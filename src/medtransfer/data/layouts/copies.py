"""Copied folders within a set: the same files, byte for byte, in a folder of the same name elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath

from medtransfer.data.layouts.files import images_below, relative_to, split_of

Folders = tuple[str, ...]
CHUNK = 1 << 20
ENDS = 4096


def find_copies(root: Path, base: str, left_out: Collection[str] = frozenset()) -> dict[str, str]:
    """Map the images of each copied folder below `base` to their originals, as paths relative to `root`.

    The files `left_out` are ignored.

    A folder is a copy if its path ends like that of another folder with files of the same names and bytes (`all/yes`
    and `yes`; `set/train/a` and `set/set/train/a`), and if the folder around it contains nothing else and is not a
    split. Sizes are compared first, then the ends of files, then whole files; nothing is read if no folder name
    recurs.
    """
    folders: dict[Folders, dict[str, PurePosixPath]] = {}
    images = [path for path in relative_to(root, images_below(root / base)) if path not in left_out]
    for image in map(PurePosixPath, images):
        folders.setdefault(image.parts[:-1], {})[image.name] = image
    same_but_case: dict[Folders, list[Folders]] = {}
    for folder in folders:
        same_but_case.setdefault(_casefold(folder), []).append(folder)
    copies: dict[Folders, Folders] = {}
    for folder in sorted(folders, key=lambda parts: (-len(parts), parts)):
        for original in _originals(folder, same_but_case):
            if original not in copies and _same(root, folders[folder], folders[original]):
                copies[folder] = original
                break
    known = set(copies) | set(copies.values())
    others = {folder[:at] for folder in folders if folder not in known for at in range(len(folder) + 1)}
    whole = [folder for folder in copies if _wrapper(folder, copies[folder]) not in others]
    return {
        str(image): str(folders[copies[folder]][name]) for folder in whole for name, image in folders[folder].items()
    }


def _originals(folder: Folders, same_but_case: Mapping[Folders, Sequence[Folders]]) -> list[Folders]:
    """Return the other folders whose path equals that of `folder` but for case, or wrappers that are not splits."""
    found = [other for other in same_but_case[_casefold(folder)] if other < folder]
    for start in range(len(folder)):
        for end in range(start + 1, len(folder)):
            if split_of(folder[end - 1]):
                break
            shorter = folder[:start] + folder[end:]
            found += [other for other in same_but_case.get(_casefold(shorter), ()) if other == shorter]
    return found


def _casefold(folder: Folders) -> Folders:
    return tuple(name.casefold() for name in folder)


def _wrapper(folder: Folders, original: Folders) -> Folders:
    """Return the folders around a copied folder, as far as its path differs from that of the original."""
    start = next((at for at, (a, b) in enumerate(zip(folder, original, strict=False)) if a != b), len(original))
    return folder[: start + max(len(folder) - len(original), 1)]


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
