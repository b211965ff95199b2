"""The masks of a set, packed beside its images: class numbers in one uint8 array on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from medtransfer.dataset.decode import Resize, UnreadableImageError
from medtransfer.dataset.masks import DecodedMask, decode_masks
from medtransfer.dataset.pack import write_header
from medtransfer.errors import UserError
from medtransfer.progress import in_threads
from medtransfer.study import MaskFiles


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
