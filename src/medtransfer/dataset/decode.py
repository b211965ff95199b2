"""One image file to pixels: decoded once, whatever its format and mode."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import imagehash
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

Resize = Literal["stretch", "crop", "pad"]

WIDE_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


class UnreadableImageError(Exception):
    """A file that is no image, or a broken one; the message says which and why."""


@dataclass(frozen=True)
class Decoded:
    """An image at the study's size, and what its file held.

    pixels: uint8, [size, size] for grey or [size, size, 3]. sha256: of the pixels before resizing, so that
    copies in another file format agree. phash: the 64-bit perceptual hash, as 16 hexadecimal digits.
    """

    pixels: np.ndarray
    sha256: str
    phash: str
    width: int
    height: int
    mode: str


def decode(path: Path, size: int, resize: Resize) -> Decoded:
    """Read an image file, apply its EXIF rotation, and resize it to `size` x `size` with antialiasing.

    A colour image whose three channels agree everywhere is grey. Transparency is laid on black. Values of
    more than 8 bits are scaled from the image's own minimum and maximum. Raises `UnreadableImageError`.
    """
    try:
        with Image.open(path) as file:
            mode = file.mode
            image = _plain(ImageOps.exif_transpose(file))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadableImageError(f"{path.name}: {error}") from error
    digest = hashlib.sha256(f"{image.mode}{image.size}".encode())
    digest.update(image.tobytes())
    return Decoded(
        pixels=np.asarray(fit(image, size, resize)),
        sha256=digest.hexdigest(),
        phash=str(imagehash.phash(image)),
        width=image.width,
        height=image.height,
        mode=mode,
    )


def fit(image: Image.Image, size: int, resize: Resize) -> Image.Image:
    """Bring an image to `size` x `size`: stretched, cut to its central square, or padded with black."""
    if resize == "crop":
        return ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    if resize == "pad":
        return ImageOps.pad(image, (size, size), Image.Resampling.BILINEAR)
    return image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0)


def _plain(image: Image.Image) -> Image.Image:
    """Give the image as `L` or `RGB`."""
    if image.mode in WIDE_MODES:
        return _eight_bits(image)
    if image.mode in ("L", "1"):
        return image.convert("L")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        image = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image.alpha_composite(with_alpha)
    image = image.convert("RGB")
    red, green, blue = (np.asarray(channel) for channel in image.split())
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return image.getchannel(0)
    return image


def _eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image, dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) * (255.0 / (high - low)) if high > low else np.zeros_like(values)
    return Image.fromarray(np.rint(scaled).astype(np.uint8))
