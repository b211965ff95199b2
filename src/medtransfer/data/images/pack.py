"""All images of a set, decoded side by side and packed into one uint8 array on disk; The masks of a set, packed beside its images: class numbers in one uint8 array on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from medtransfer.data.images.decode import Decoded, Resize, UnreadableImageError, decode
from medtransfer.data.images.dicom import dicom_problem
from medtransfer.data.images.masks import DecodedMask, decode_masks
from medtransfer.data.images.packed import open_packed
from medtransfer.study import MaskFiles
from medtransfer.util.errors import UserError
from medtransfer.util.progress import in_threads

CHUNK = 256

DESCRIPTION = ("sha256", "phash", "width", "height", "mode", "brightness")


def pack(root: Path, paths: Sequence[str], size: int, resize: Resize, target: Path) -> pd.DataFrame:
    """Decode `paths` (relative to `root`) into `target`, a .npy file, and describe each.

    The array is uint8, [images, size, size, channels], with one channel where every image is grey and three
    where one is not. Returns a row an image in the order of `paths`, with the columns DESCRIPTION.
    Raises `UserError` that lists all unreadable files, or one line where DICOM files are there but pydicom is
    not. Memory holds a few hundred images at a time.
    """
    if missing := dicom_problem(paths):
        raise UserError(missing)
    unreadable: list[str] = []
    described: list[dict[str, object]] = []
    colour = False
    scratch = target.with_suffix(".rgb")
    with scratch.open("wb") as file:  # a plain file: pages of a mapped one would count as memory
        for path, item in zip(paths, _decode_all(root, paths, size, resize), strict=True):
            if isinstance(item, UnreadableImageError):
                unreadable.append(f"{path}: unreadable: {str(item).split(': ', 1)[-1]}")
                continue
            grey = item.pixels.ndim == 2
            colour |= not grey
            pixels = np.repeat(item.pixels[..., None], 3, axis=2) if grey else item.pixels
            file.write(np.ascontiguousarray(pixels).tobytes())
            described.append({name: getattr(item, name) for name in DESCRIPTION})
    if not unreadable:
        _keep_channels(scratch, (len(paths), size, size, 3 if colour else 1), target)
    scratch.unlink()
    if unreadable:
        raise UserError(unreadable)
    return pd.DataFrame(described)


def repack(path: Path, rows: np.ndarray) -> None:
    """Keep only `rows` of a packed array, in place."""
    packed = open_packed(path)
    smaller = path.with_suffix(".kept")
    with smaller.open("wb") as file:
        write_header(file, (len(rows), *packed.shape[1:]))
        for start in range(0, len(rows), CHUNK):
            file.write(packed[rows[start : start + CHUNK]].tobytes())
    smaller.replace(path)


def _decode_all(
    root: Path, paths: Sequence[str], size: int, resize: Resize
) -> Iterator[Decoded | UnreadableImageError]:
    def one(path: str) -> Decoded | UnreadableImageError:
        try:
            return decode(root / path, size, resize)
        except UnreadableImageError as error:
            return error

    return in_threads(one, paths, "prepare", "image")


def _keep_channels(scratch: Path, shape: tuple[int, int, int, int], target: Path) -> None:
    """Copy the first channels of raw pixels in three into a .npy file of that shape."""
    count, size, _, channels = shape
    with scratch.open("rb") as source, target.open("wb") as file:
        write_header(file, shape)
        for start in range(0, count, CHUNK):
            rows = min(CHUNK, count - start)
            chunk = np.fromfile(source, np.uint8, rows * size * size * 3).reshape(rows, size, size, 3)
            file.write(np.ascontiguousarray(chunk[..., :channels]).tobytes())


def write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """Write what a .npy file of uint8 of that shape begins with."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def pack_masks(
    root: Path,
    images: pd.DataFrame,
    masks: Mapping[str, list[str]],
    spec: MaskFiles,
    size: int,
    resize: Resize,
    target: Path,
) -> None:
    """Decode the masks of `images` (columns path, width, height) into `target`, a .npy file.

    The array is uint8, [images, size, size], class numbers with 0 for background. An image without masks gets
    an empty one. Raises `UserError` that lists all files that cannot be read as masks, and the classes that none
    of them has.
    """
    problems: list[str] = []
    present: set[int] = set()
    rows = list(images[["path", "width", "height"]].itertuples(index=False, name=None))
    decode = partial(_decode_row, root, masks, spec, size, resize)
    with target.open("wb") as file:
        write_header(file, (len(rows), size, size))
        for item in in_threads(decode, rows, "masks", "image"):
            if isinstance(item, str):
                problems.append(item)
            else:
                file.write(item.pixels.tobytes())
                present |= item.present
    if not problems:
        problems = _absent(spec, present)
    if problems:
        raise UserError(problems)


def missing_masks(paths: Sequence[str], masks: Mapping[str, list[str]], spec: MaskFiles) -> np.ndarray:
    """Say which rows are to be left out because they have no mask: bool [paths].

    Raises `UserError` that lists them where `missing: fail`.
    """
    missing = np.array([path not in masks for path in paths], dtype=bool)
    if spec.missing == "empty":
        return np.zeros(len(paths), dtype=bool)
    if spec.missing == "fail" and missing.any():
        raise UserError(
            [
                f"data.masks: {missing.sum()} of {len(paths)} images have no mask; data.masks.missing: drop leaves "
                "them out, empty says that nothing is on them",
                *(f"{path}: has no mask" for path, lacks in zip(paths, missing, strict=True) if lacks),
            ]
        )
    return missing


def _decode_row(
    root: Path,
    masks: Mapping[str, list[str]],
    spec: MaskFiles,
    size: int,
    resize: Resize,
    row: tuple[str, int, int],
) -> DecodedMask | str:
    path, width, height = row
    files = [root / mask for mask in masks.get(path, [])]
    try:
        return decode_masks(files, (width, height), spec.classes, size, resize)
    except UnreadableImageError as error:
        name, _, reason = str(error).partition(": ")
        return f"{next(mask for mask in masks[path] if mask.endswith(name))}: no mask: {reason}"


def _absent(spec: MaskFiles, present: set[int]) -> list[str]:
    return [
        f"data.masks.classes.{name}: no mask has it; expected one of the values that the masks hold"
        for number, name in enumerate(spec.class_names, start=1)
        if number not in present
    ]
