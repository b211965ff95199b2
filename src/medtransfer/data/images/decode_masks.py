"""Decoding mask files to class numbers, distinguished by grey value or colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from medtransfer.data.images.decode import Resize, UnreadableImageError, fit, unreadable_if_damaged
from medtransfer.data.images.packed import IGNORED
from medtransfer.data.images.raster import ALPHA_MODES, open_raster

HALF = 128
BETWEEN = slice(32, 224)
LEAST_OF_A_CLASS = (64, 0.02)
"""The least number of pixels of one value between dark and bright, and their least share of all pixels that are not 0,
for the value to be that of a class. Smoothed or compressed edges scatter over many values."""

LOSSY = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".webp"))
SQUARE = 3
ASPECT_TOLERANCE = 0.01
Values = Mapping[str, int | str]


class UnclearValuesError(ValueError):
    """The values of a mask may mean several classes."""


class UnsuitableMaskError(UnreadableImageError):
    """A file that can be read, but is not a mask of its image, or whose values are not those of the classes."""


def decode_masks(
    paths: Sequence[Path],
    shape: tuple[int, int],
    classes: Values | None,
    size: int,
    resize: Resize,
    numbers_of: Sequence[int] | None = None,
    ignore: int | str | None = None,
) -> tuple[np.ndarray, frozenset[int]]:
    """Read the masks of one image of `shape` (width, height) and merge them, later classes over earlier ones.

    If each file is of one class, `numbers_of` has that of each, and `classes` is None. `ignore` is the value of pixels
    to leave out. Returns class numbers, uint8 [size, size], 0 for background and `IGNORED`, resized as the image is
    (`decode.fit`) but by nearest neighbour, and the numbers that were present before. Without paths all is background.
    Raises `UnreadableImageError` for a file that cannot be read, and `UnsuitableMaskError` for one whose aspect ratio
    differs from the image's, or whose values cannot be distinguished.
    """
    whole: np.ndarray | None = None
    for at, path in enumerate(paths):
        with unreadable_if_damaged(path):
            mask, _ = open_raster(path, "mask")
        try:
            numbers = _numbers(mask, path, shape, classes, ignore)
        except ValueError as error:
            raise UnsuitableMaskError(f"{path.name}: {error}") from error
        if numbers_of is not None:
            numbers = np.where(numbers == IGNORED, numbers, numbers * np.uint8(numbers_of[at]))
        if whole is not None and numbers.shape != whole.shape:
            raise UnsuitableMaskError(f"{path.name}: its size differs from that of {paths[0].name}, of the same image")
        whole = numbers if whole is None else np.maximum(whole, numbers)
    if whole is None:
        return np.zeros((size, size), np.uint8), frozenset()
    fitted = np.asarray(fit(Image.fromarray(whole), size, resize, Image.Resampling.NEAREST))
    return fitted, frozenset(np.unique(whole).tolist()) - {0}


def unfit_mask(
    mask: Image.Image, width: int, height: int, resize: Resize, resample: Image.Resampling = Image.Resampling.NEAREST
) -> Image.Image:
    """Resize a mask or another picture back to the size of its image; pixels that `decode.fit` cropped off are 0."""
    if resize == "stretch":
        return mask.resize((width, height), resample)
    side = min(width, height) if resize == "crop" else max(width, height)
    whole = Image.new(mask.mode, (width, height))
    whole.paste(mask.resize((side, side), resample), ((width - side) // 2, (height - side) // 2))
    return whole


def class_numbers(values: np.ndarray, classes: Values | None) -> np.ndarray:
    """Convert the values of a mask, grey [h, w] or colour [h, w, 3], to class numbers uint8 [h, w].

    Without `classes`, a mask of 0 and 1 is kept, and of any other the pixels brighter than half are 1. Raises
    `ValueError` for values far from dark and bright, as in a mask of several classes, and for colours if `classes`
    are grey values.
    """
    if classes is None:
        return _foreground(values)
    of_colours = isinstance(next(iter(classes.values())), str)
    if of_colours and values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    if not of_colours and values.ndim == 3:
        raise ValueError("colours, but data.masks.classes lists grey values; expected colours such as '#ff0000'")
    numbers = np.zeros(values.shape[:2], np.uint8)
    for number, value in enumerate(classes.values(), start=1):
        where = values == value if isinstance(value, int) else (values == _rgb(value)).all(axis=2)
        numbers[where] = number
    return numbers


def _numbers(
    mask: Image.Image, path: Path, shape: tuple[int, int], classes: Values | None, ignore: int | str | None
) -> np.ndarray:
    if mask.mode in ALPHA_MODES and _only_in_alpha(mask):
        raise ValueError("content only in the alpha channel; save that channel as a grey image")
    width, height = shape
    if abs(mask.width * height - mask.height * width) > ASPECT_TOLERANCE * mask.width * height:
        raise ValueError(
            f"{mask.width} x {mask.height} pixels, but its image has {width} x {height}; save it with that shape"
        )
    values = values_of(mask, classes)
    if ignore is not None and path.suffix.lower() in LOSSY:
        raise ValueError("compressed with loss, so that its values are not exact; data.masks.ignore needs exact values")
    ignored = None if ignore is None else class_numbers(values, {"ignored": ignore}).astype(bool)
    if ignored is not None:
        values = values.copy()
        values[ignored] = 0
    if classes is None and values.ndim == 2 and path.suffix.lower() not in LOSSY:
        _require_two_values(values)
    numbers = class_numbers(values, classes)
    if ignored is not None:
        numbers[ignored] = IGNORED
    return numbers


def values_of(mask: Image.Image, classes: Values | None) -> np.ndarray:
    """Return the values that distinguish classes: palette indices if classes are numbers, else grey or colours."""
    numbered = classes is not None and isinstance(next(iter(classes.values())), int)
    if mask.mode == "1":
        return np.asarray(mask).astype(np.uint8)
    if mask.mode == "L" or mask.mode.startswith("I") or (mask.mode == "P" and numbered):
        return np.asarray(mask)
    colours = np.asarray(mask.convert("RGB"))
    return colours[..., 0] if (colours[..., :1] == colours).all() else colours


def _foreground(values: np.ndarray) -> np.ndarray:
    if values.ndim == 3:
        raise UnclearValuesError("colours; name them in data.masks.classes, such as {lesion: '#ff0000'}")
    if values.max(initial=0) > 255:
        raise UnclearValuesError(f"values up to {values.max()}; name those of the classes in data.masks.classes")
    if values.max(initial=0) <= 1:
        return values.astype(np.uint8)
    counts = np.bincount(values.ravel(), minlength=256)
    pixels, share = LEAST_OF_A_CLASS
    if values.max() < HALF or counts[BETWEEN].max() >= max(pixels, share * counts[1:].sum()):
        found = ", ".join(map(str, np.unique(values)[:6]))
        raise UnclearValuesError(
            f"values {found}, neither dark nor bright; name those of the classes in data.masks.classes"
        )
    return (values >= HALF).astype(np.uint8)


def _only_in_alpha(mask: Image.Image) -> bool:
    *colours, alpha = (np.ptp(np.asarray(band)) for band in mask.convert("RGBA").split())
    return not any(colours) and bool(alpha)


def _require_two_values(values: np.ndarray) -> None:
    """Raise `ValueError` for a value below the greatest that fills squares of 3 x 3 pixels, unlike those of edges.

    Examples are a class number besides 255 for pixels to ignore, and two dark or two bright grey values.
    """
    greatest = values.max(initial=0)
    if greatest <= 1 or greatest > 255 or min(values.shape) < SQUARE:
        return
    squares = np.lib.stride_tricks.sliding_window_view(values, (SQUARE, SQUARE))
    solid = squares.min(axis=(2, 3))
    solid = np.bincount(solid[solid == squares.max(axis=(2, 3))], minlength=256)
    least = LEAST_OF_A_CLASS[1] * np.count_nonzero(values)
    found = [value for value in range(1, greatest) if solid[value] > max(least, SQUARE)]
    if found:
        shown = ", ".join(map(str, [*found, greatest][:6]))
        raise UnclearValuesError(
            f"values {shown}, which may be several classes, or one class and pixels to ignore; name the classes "
            f"in data.masks.classes, such as {{lesion: {found[0]}}}, and pixels to ignore in data.masks.ignore; all "
            "other values are background"
        )


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
