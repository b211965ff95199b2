"""One image file to pixels: decoded once, whatever its format and mode."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import imagehash
import numpy as np
from PIL import Image, ImageOps

from medtransfer.data.images.dicom import is_dicom, read_dicom
from medtransfer.data.images.raster import UnreadableImageError, read_raster

Resize = Literal["stretch", "crop", "pad"]

# What Pillow, libtiff, pydicom and their plugins were seen to raise on damaged files. A set's file is not ours:
# any of these means that it cannot be read, never that the program is wrong.
DECODER_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    ArithmeticError,
    LookupError,
    EOFError,
    TypeError,
    AttributeError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

__all__ = ["Decoded", "Resize", "UnreadableImageError", "decode", "fit", "read_pixels"]


@dataclass(frozen=True)
class Decoded:
    """An image at the study's size, and what its file held.

    pixels: uint8, [size, size] for grey or [size, size, 3]. sha256: of the pixels before resizing, so that
    copies in another file format agree. phash: the 64-bit perceptual hash, as 16 hexadecimal digits.
    mode: Pillow's name of what the file holds, or `DICOM` and its photometric interpretation. brightness: the mean
    grey value before resizing, 0 to 255.
    """

    pixels: np.ndarray
    sha256: str
    phash: str
    width: int
    height: int
    mode: str
    brightness: float


def decode(path: Path, size: int, resize: Resize) -> Decoded:
    """Read an image file, apply its EXIF rotation, and resize it to `size` x `size` with antialiasing.

    A colour image whose three channels agree everywhere is grey. Transparency is laid on black. Grey values
    of more than 8 bits are scaled from the image's own minimum and maximum (`raster.eight_bits`), those of
    DICOM by its window (`dicom.read_dicom`). Raises `UnreadableImageError`.
    """
    with _damage_is_unreadable(path):
        image, mode = _read(path)
        digest = hashlib.sha256(f"{image.mode}{image.size}".encode())
        digest.update(image.tobytes())
        return Decoded(
            pixels=np.asarray(fit(image, size, resize)),
            sha256=digest.hexdigest(),
            phash=str(imagehash.phash(image)),
            width=image.width,
            height=image.height,
            mode=mode,
            brightness=float(np.asarray(image.convert("L")).mean()),
        )


def read_pixels(path: Path, size: int, resize: Resize, channels: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Read an image file as `decode` does; give its pixels alone, and the width and height that it had.

    The pixels are uint8 [size, size, channels]. With three channels grey is repeated, as in a packed set that has
    colour in it. With one channel colour becomes grey (ITU-R 601), since a model of grey images has never seen
    any. Raises `UnreadableImageError`.
    """
    with _damage_is_unreadable(path):
        image, _ = _read(path)
        fitted = fit(image, size, resize).convert("L" if channels == 1 else "RGB")
        return np.asarray(fitted).reshape(size, size, channels), image.size


def fit(image: Image.Image, size: int, resize: Resize) -> Image.Image:
    """Bring an image to `size` x `size`: stretched, cut to its central square, or padded with black."""
    if resize == "crop":
        return ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    if resize == "pad":
        return ImageOps.pad(image, (size, size), Image.Resampling.BILINEAR)
    return image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0)


@contextmanager
def _damage_is_unreadable(path: Path) -> Iterator[None]:
    try:
        yield
    except DECODER_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableImageError(f"{path.name}: {reason}") from error


def _read(path: Path) -> tuple[Image.Image, str]:
    image, mode = read_dicom(path) if is_dicom(path) else read_raster(path)
    return _grey_if_colourless(image), mode


def _grey_if_colourless(image: Image.Image) -> Image.Image:
    if image.mode == "L":
        return image
    red, green, blue = (np.asarray(channel) for channel in image.split())
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return image.getchannel(0)
    return image
