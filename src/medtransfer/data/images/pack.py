"""Packing the images of a set, and their masks, each into one uint8 array on disk."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np
import pandas as pd

from medtransfer.data.images.decode import Decoded, Resize, UnreadableImageError, decode
from medtransfer.data.images.decode_masks import UnclearValuesError, UnsuitableMaskError, decode_masks
from medtransfer.data.images.dicom import dicom_problem
from medtransfer.data.images.mask_values import classes_of_values
from medtransfer.data.images.packed import IGNORED, open_packed, write_npy_header
from medtransfer.data.layouts.named_masks import class_of_mask, lacks_mask
from medtransfer.study import MaskFiles
from medtransfer.util.errors import UserError, many
from medtransfer.util.progress import in_threads

CHUNK = 256
DESCRIPTION = ("sha256", "width", "height", "mode", "brightness")


def pack(
    root: Path, paths: Sequence[str], size: int, resize: Resize, target: Path, drop_unreadable: bool = False
) -> pd.DataFrame:
    """Decode `paths` (relative to `root`) into `target`, a .npy file, and describe each.

    The array is uint8, [images, size, size, channels], with one channel if every image is grey, else three.
    Returns one row per image, with the columns DESCRIPTION and its position in `paths` as index. Raises `UserError`
    that lists all unreadable files, unless `drop_unreadable` leaves them out, or has one line if there are DICOM files
    but no pydicom. Memory holds a few hundred images at a time.
    """

    def decoded(path: str) -> Decoded | str:
        try:
            return decode(root / path, size, resize)
        except UnreadableImageError as error:
            return f"{path}: unreadable: {str(error).split(': ', 1)[-1]}"

    if missing := dicom_problem(paths):
        raise UserError(missing)
    unreadable: list[str] = []
    described: dict[int, dict[str, object]] = {}
    channels = 1
    with target.open("w+b") as file:  # a plain file: pages of a memory-mapped one would count as memory
        write_npy_header(file, (len(paths), size, size, channels))
        start = file.tell()
        for position, item in enumerate(in_threads(decoded, paths, "prepare", "image")):
            if isinstance(item, str):
                unreadable.append(item)
                continue
            pixels = item.pixels[..., None] if item.pixels.ndim == 2 else item.pixels
            if pixels.shape[-1] > channels:
                channels = pixels.shape[-1]
                _repeat_channels(file, start, len(described), size * size, channels)
            file.write(np.broadcast_to(pixels, (size, size, channels)).tobytes())
            described[position] = {name: getattr(item, name) for name in DESCRIPTION}
        file.seek(0)
        write_npy_header(file, (len(described), size, size, channels))
    if not described or (unreadable and not drop_unreadable):
        target.unlink()
        raise UserError(unreadable)
    return pd.DataFrame.from_dict(described, orient="index")


def repack(path: Path, rows: np.ndarray) -> None:
    """Keep only `rows` of a packed array, in place."""
    packed = open_packed(path)
    smaller = path.with_suffix(".kept")
    with smaller.open("wb") as file:
        write_npy_header(file, (len(rows), *packed.shape[1:]))
        for start in range(0, len(rows), CHUNK):
            file.write(packed[rows[start : start + CHUNK]].tobytes())
    smaller.replace(path)


def _repeat_channels(file: BinaryIO, start: int, count: int, pixels: int, channels: int) -> None:
    """Repeat each byte of `count` grey images, from byte `start` of a file on, in place: the last images first."""
    for first in range((count - 1) // CHUNK * CHUNK, -1, -CHUNK):
        size = min(CHUNK, count - first) * pixels
        file.seek(start + first * pixels)
        grey = np.frombuffer(file.read(size), np.uint8)
        file.seek(start + first * pixels * channels)
        file.write(np.repeat(grey, channels).data)
    file.seek(start + count * pixels * channels)


def pack_masks(
    root: Path,
    images: pd.DataFrame,
    masks: Mapping[str, list[str]],
    spec: MaskFiles,
    size: int,
    resize: Resize,
    target: Path,
    drop_unreadable: bool = False,
) -> np.ndarray:
    """Decode the masks of `images` (columns path, width, height) into `target`, a .npy file.

    The array is uint8, [images, size, size], class numbers with 0 for background and `IGNORED`. An image without masks
    gets an empty one. Returns which images are in the array, bool [images]: with `drop_unreadable`, those whose masks
    can be decoded. Raises `UserError` that lists all files that cannot be read as masks, or else the classes that no
    mask has.
    """

    def decoded(row: tuple[str, int, int]) -> tuple[np.ndarray, frozenset[int]] | str | None:
        path, *shape = row
        try:
            files = [root / mask for mask in masks.get(path, [])]
            kinds = [class_of_mask(PurePosixPath(mask), spec) for mask in masks.get(path, [])] if spec.places else None
            return decode_masks(files, (shape[0], shape[1]), spec.values, size, resize, kinds, spec.ignore)
        except UnreadableImageError as error:
            if drop_unreadable and not isinstance(error, UnsuitableMaskError):
                return None
            name, _, reason = str(error).partition(": ")
            if isinstance(error.__cause__, UnclearValuesError):
                unclear.append(path)
            problem = "not a mask" if isinstance(error, UnsuitableMaskError) else "unreadable"
            return f"{next(mask for mask in masks[path] if mask.endswith(name))}: {problem}: {reason}"

    kept = np.ones(len(images), dtype=bool)
    problems: list[str] = []
    unclear: list[str] = []
    present: set[int] = set()
    rows = list(images[["path", "width", "height"]].itertuples(index=False, name=None))
    with target.open("wb") as file:
        write_npy_header(file, (len(rows), size, size))
        for position, item in enumerate(in_threads(decoded, rows, "masks", "image")):
            if isinstance(item, str):
                problems.append(item)
            elif item is None:
                kept[position] = False
            else:
                file.write(item[0].tobytes())
                present |= item[1]
        file.seek(0)
        write_npy_header(file, (int(kept.sum()), size, size))
    problems = _few_lines(problems) or _absent_values(spec, present)
    if unclear and (classes := classes_of_values(root / mask for path in masks for mask in masks[path])):
        problems.append(f"to give each value of the masks a class: {classes}")
    if problems:
        raise UserError(problems)
    return kept


def _absent_values(spec: MaskFiles, present: Collection[int]) -> list[str]:
    """Return a problem for each value that the params name and no mask has."""
    if not present:
        return ["data.masks: all masks are empty; select other files by data.masks.folder or data.masks.suffix"]
    problems = [
        f"data.masks.classes.{name}: no mask has this class; expected one of the values in the masks"
        for number, name in enumerate(spec.class_names, start=1)
        if number not in present
    ]
    if not problems and spec.ignore is not None and IGNORED not in present:
        problems = [f"data.masks.ignore: no mask has the value {spec.ignore}"]
    return problems


def _few_lines(problems: Sequence[str]) -> list[str]:
    """Join the lines of many masks with the same reason."""
    by_reason: dict[str, list[str]] = {}
    for problem in problems:
        path, _, reason = problem.partition(": ")
        by_reason.setdefault(reason, []).append(path)
    return [line for reason, paths in by_reason.items() for line in many(paths, reason)]


def missing_masks(paths: Sequence[str], masks: Mapping[str, list[str]], spec: MaskFiles) -> np.ndarray:
    """Return which rows to leave out because they have no mask: bool [paths].

    Raises `UserError` that lists them if `missing: fail`.
    """
    missing = np.array([lacks_mask(masks.get(path, []), spec) for path in paths], dtype=bool)
    if spec.missing == "fail" and missing.any():
        remedy = "data.masks.missing: drop excludes these images, empty treats them as background"
        lacking = [f"{path}: has no mask" for path, lacks in zip(paths, missing, strict=True) if lacks]
        raise UserError([f"data.masks: {missing.sum()} of {len(paths)} images have no mask; {remedy}", *lacking])
    return missing & (spec.missing != "empty")
