"""Mask files to class numbers: read whole, told apart by grey value or colour, brought to the study's size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from medtransfer.data.images.decode import DECODER_ERRORS, Resize, UnreadableImageError
from medtransfer.data.images.raster import FORMATS, bounded

HALF = 128
BETWEEN = slice(32, 224)
LEAST_OF_A_CLASS = (64, 0.02)
"""A value between dark and bright is that of a class where it has so many pixels, and such a share of all that are
not 0; edges that were smoothed or compressed scatter over many values."""

ASPECT_TOLERANCE = 0.01
Values = Mapping[str, int | str]


@dataclass(frozen=True)
class DecodedMask:
    """Class numbers, uint8 [size, size], 0 for background, and which classes the file has, at its own size."""

    pixels: np.ndarray
    present: frozenset[int]


def decode_masks(
    paths: Sequence[Path], shape: tuple[int, int], classes: Values | None, size: int, resize: Resize
) -> DecodedMask:
    """Read the masks of one image of `shape` (width, height) and lay them over each other, later classes on top.

    The result is resized by nearest neighbour, as `decode.fit` does it. Without paths it is all background. Raises
    `UnreadableImageError` for a file that cannot be read, whose proportions are not the image's, or whose values
    cannot be told apart.
    """
    whole: np.ndarray | None = None
    for path in paths:
        numbers = _read_numbers(path, shape, classes)
        if whole is not None and numbers.shape != whole.shape:
            raise UnreadableImageError(f"{path.name}: another size than {paths[0].name}, a mask of the same image")
        whole = numbers if whole is None else np.maximum(whole, numbers)
    if whole is None:
        return DecodedMask(np.zeros((size, size), np.uint8), frozenset())
    return DecodedMask(
        np.asarray(fit_mask(Image.fromarray(whole), size, resize)), frozenset(np.unique(whole).tolist()) - {0}
    )


def fit_mask(mask: Image.Image, size: int, resize: Resize) -> Image.Image:
    """Bring a mask to `size` x `size` as `decode.fit` does its image, but by nearest neighbour."""
    if resize == "crop":
        return ImageOps.fit(mask, (size, size), Image.Resampling.NEAREST)
    if resize == "pad":
        return ImageOps.pad(mask, (size, size), Image.Resampling.NEAREST)
    return mask.resize((size, size), Image.Resampling.NEAREST)


def unfit_mask(
    mask: Image.Image,
    width: int,
    height: int,
    resize: Resize,
    resample: Image.Resampling = Image.Resampling.NEAREST,
) -> Image.Image:
    """Bring a mask, or another picture, of the study's size back to its image's: what `fit_mask` cut off is 0."""
    if resize == "stretch":
        return mask.resize((width, height), resample)
    side = min(width, height) if resize == "crop" else max(width, height)
    whole = Image.new(mask.mode, (width, height))
    whole.paste(mask.resize((side, side), resample), ((width - side) // 2, (height - side) // 2))
    return whole


def class_numbers(values: np.ndarray, classes: Values | None) -> np.ndarray:
    """Turn the values of a mask, grey [h, w] or colour [h, w, 3], into class numbers uint8 [h, w].

    Without `classes`: 1 where a mask of 0 and 1 has 1, or another is brighter than half; a mask that has values
    far from both ends, as one of several classes has, raises `ValueError`, and so does a kind of values that
    `classes` does not speak of.
    """
    if classes is None:
        return _foreground(values)
    of_colours = isinstance(next(iter(classes.values())), str)
    if of_colours and values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    if not of_colours and values.ndim == 3:
        raise ValueError("colours, but data.masks.classes gives grey values; expected colours such as '#ff0000'")
    numbers = np.zeros(values.shape[:2], np.uint8)
    for number, value in enumerate(classes.values(), start=1):
        where = values == value if isinstance(value, int) else (values == _rgb(value)).all(axis=2)
        numbers[where] = number
    return numbers


def _read_numbers(path: Path, shape: tuple[int, int], classes: Values | None) -> np.ndarray:
    try:
        with Image.open(path, formats=FORMATS) as file:
            bounded(file.width, file.height)
            if getattr(file, "n_frames", 1) > 1:
                raise ValueError(f"holds {file.n_frames} pages or frames, but one mask is expected")  # type: ignore[attr-defined]
            mask = ImageOps.exif_transpose(file)
        width, height = shape
        if abs(mask.width * height - mask.height * width) > ASPECT_TOLERANCE * mask.width * height:
            raise ValueError(f"{mask.width} x {mask.height} pixels, but its image has {width} x {height}")
        return class_numbers(_values(mask, classes), classes)
    except DECODER_ERRORS as error:
        raise UnreadableImageError(f"{path.name}: {' '.join(str(error).split()) or type(error).__name__}") from error


def _values(mask: Image.Image, classes: Values | None) -> np.ndarray:
    """Give the values that classes are told by: palette indices where classes are numbers, else grey or colours."""
    numbered = classes is not None and isinstance(next(iter(classes.values())), int)
    if mask.mode == "1":
        return np.asarray(mask).astype(np.uint8)
    if mask.mode == "L" or mask.mode.startswith("I") or (mask.mode == "P" and numbered):
        return np.asarray(mask)
    colours = np.asarray(mask.convert("RGB"))
    grey = (colours[..., :1] == colours).all()
    return colours[..., 0] if grey else colours


def _foreground(values: np.ndarray) -> np.ndarray:
    if values.ndim == 3:
        raise ValueError("colours; name them in data.masks.classes, such as {lesion: '#ff0000'}")
    if values.max(initial=0) > 255:
        raise ValueError(f"values up to {values.max()}; name those of the classes in data.masks.classes")
    if values.max(initial=0) <= 1:
        return values.astype(np.uint8)
    counts = np.bincount(values.ravel(), minlength=256)
    pixels, share = LEAST_OF_A_CLASS
    if values.max() < HALF or counts[BETWEEN].max() >= max(pixels, share * counts[1:].sum()):
        found = ", ".join(map(str, np.unique(values)[:6]))
        raise ValueError(f"values {found}, neither dark nor bright; name those of the classes in data.masks.classes")
    return (values >= HALF).astype(np.uint8)


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
