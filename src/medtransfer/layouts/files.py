"""Image files below a folder, and the names that folders give to splits."""

from __future__ import annotations

from pathlib import Path

from medtransfer.errors import UserError

IMAGE_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
)
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}


def images_below(folder: Path) -> list[Path]:
    """List the image files below `folder`, sorted by path; hidden files and folders are passed over."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and path.is_file()
        and not any(part.startswith((".", "__MACOSX")) for part in path.relative_to(folder).parts)
    )


def split_folders(root: Path) -> dict[str, Path]:
    """Map `train`, `val`, `test` to the folders directly below `root` that bear such a name.

    Raises `UserError` where two folders bear names of the same split.
    """
    found: dict[str, Path] = {}
    problems = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        split = SPLIT_NAMES.get(folder.name.lower())
        if split in found:
            problems.append(
                f"{root}: expected one folder of split {split}, but got {found[split].name} and {folder.name}"
            )
        elif split is not None:
            found[split] = folder
    if problems:
        raise UserError(problems)
    return found
