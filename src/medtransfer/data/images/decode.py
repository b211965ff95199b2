"""Decoding an image file, of any format and mode, to pixels."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageChops, ImageOps

from medtransfer.data.images.arrays import is_row, read_row
from medtransfer.data.images.dicom import is_dicom, read_dicom
from medtransfer.data.images.raster import read_raster, strips

Resize = Literal["stretch", "crop", "pad"]

DECODER_ERRORS = (
    OSError, ValueError, SyntaxError, ArithmeticError, LookupError, EOFError, TypeError, AttributeError, RuntimeError,
    MemoryError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
"""Errors that Pillow, libtiff, pydicom and their plugins were seen to raise on damaged files.

The files come from elsewhere: any of these errors means that a file cannot be read, not that the program is wrong.
"""


class UnreadableImageError(Exception):
    """A file that is not an image, or a damaged one; the message names the file and the reason."""


@dataclass(frozen=True)
class Decoded:
    """An image at the size of the study, and properties of its file.

    pixels: uint8, [size, size] if grey, else [size, size, 3]. sha256: of the pixels before resizing, so that
    copies in another file format agree. mode: Pillow's name for the mode of the file, or `DICOM` and its photometric
    interpretation. brightness: mean grey value before resizing, 0 to 255.
    """

    pixels: np.ndarray
    sha256: str
    width: int
    height: int
    mode: str
    brightness: float


def decode(path: Path, size: int, resize: Resize) -> Decoded:
    """Read an image file, apply its EXIF rotation, and resize it to `size` x `size` with antialiasing.

    A colour image whose three channels are equal is read as grey. Transparency is composed onto black. Grey values
    of more than 8 bits are scaled from the minimum and maximum of the image (`raster.eight_bits`), those of
    DICOM by its window (`dicom.read_dicom`). Raises `UnreadableImageError`.
    """
    with unreadable_if_damaged(path):
        image, mode = _read(path)
        digest = hashlib.sha256(f"{image.mode}{image.size}".encode())
        for _, strip in strips(image):
            digest.update(strip.tobytes())
        return Decoded(
            pixels=np.asarray(fit(image, size, resize)),
            sha256=digest.hexdigest(),
            width=image.width,
            height=image.height,
            mode=mode,
            brightness=float(np.asarray(image.convert("L")).mean()),
        )


def read_pixels(path: Path, size: int, resize: Resize, channels: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Read an image file as `decode` does; return only its pixels, and its original width and height.

    The pixels are uint8 [size, size, channels]. With three channels grey is repeated, as in a packed set that contains
    colour. With one channel colour becomes grey (ITU-R 601), because a model of grey images has never seen
    any. Raises `UnreadableImageError`.
    """
    with unreadable_if_damaged(path):
        image, _ = _read(path)
        fitted = fit(image, size, resize).convert("L" if channels == 1 else "RGB")
        return np.asarray(fitted).reshape(size, size, channels), image.size


def readable(path: Path) -> bool:
    """Return whether an image file can be decoded."""
    with suppress(UnreadableImageError), unreadable_if_damaged(path):
        _read(path)
        return True
    return False


def fit(
    image: Image.Image, size: int, resize: Resize, resample: Image.Resampling = Image.Resampling.BILINEAR
) -> Image.Image:
    """Resize an image to `size` x `size`: stretched, cropped to its central square, or padded with black."""
    if resize == "crop":
        return ImageOps.fit(image, (size, size), resample)
    if resize == "pad":
        return ImageOps.pad(image, (size, size), resample)
    return image.resize((size, size), resample, reducing_gap=3.0)


@contextmanager
def unreadable_if_damaged(path: Path) -> Iterator[None]:
    """Turn the errors of decoders into an `UnreadableImageError` of one line."""
    try:
        yield
    except DECODER_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableImageError(f"{path.name}: {reason}") from error


def _read(path: Path) -> tuple[Image.Image, str]:
    if is_row(path):
        image, mode = read_row(path)
    else:
        image, mode = read_dicom(path) if is_dicom(path) else read_raster(path)
    if image.mode == "L":
        return image, mode
    return (image.getchannel(0) if all(_is_grey(strip) for _, strip in strips(image)) else image), mode


def _is_grey(image: Image.Image) -> bool:
    """Return whether all channels are equal."""
    first, *others = image.split()
    return all(ImageChops.difference(first, other).getbbox() is None for other in others)
