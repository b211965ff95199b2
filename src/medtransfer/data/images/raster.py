"""PNG, JPEG, TIFF and other raster formats, in all their modes, as 8-bit grey or RGB."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")
"""The list is closed because formats are recognised by content: Pillow would pass a `.png` that contains PostScript to
Ghostscript."""

WIDE_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
MAX_PIXELS = 50_000_000
"""A header may claim billions of pixels; a larger image is refused before any pixels are decoded."""

BLOCK = 256

# Pillow warns of each odd tag of each file, and of sizes that `require_bounded` refuses; real problems are raised.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")


def read_raster(path: Path) -> tuple[Image.Image, str]:
    """Read an image file as `L` or `RGB` with its EXIF rotation applied; return it and the mode of the file.

    Colour of 16 bits per channel keeps its high byte; grey of more than 8 bits is scaled by `eight_bits`.
    Raises `ValueError` for a file of several pages and for more than `MAX_PIXELS`, and any error of Pillow.
    """
    image, mode = open_raster(path, "image")
    if image.mode in WIDE_MODES:
        return Image.fromarray(eight_bits(np.asarray(image))), mode
    if image.mode in ("L", "1"):
        return image.convert("L"), mode
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        return _on_black(image), mode
    return image.convert("RGB"), mode


def strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield the top and the pixels of each `BLOCK` rows of an image: copies of a large one would fill the memory."""
    for top in range(0, image.height, BLOCK):
        yield top, image.crop((0, top, image.width, min(top + BLOCK, image.height)))


def _on_black(image: Image.Image) -> Image.Image:
    """Compose an image with transparency onto black."""
    composed = Image.new("RGB", image.size)
    for top, strip in strips(image):
        black = Image.new("RGBA", strip.size, (0, 0, 0, 255))
        black.alpha_composite(strip.convert("RGBA"))
        composed.paste(black.convert("RGB"), (0, top))
    return composed


def open_raster(path: Path, expected: str) -> tuple[Image.Image, str]:
    """Read the one `expected` image or mask of a file, with its EXIF rotation applied, and the mode of the file."""
    with Image.open(path, formats=FORMATS) as file:
        require_bounded(file.width, file.height)
        frames = 1 if file.format == "MPO" else getattr(file, "n_frames", 1)  # further frames of MPO are previews
        if frames > 1:
            raise ValueError(f"has {frames} pages or frames, but one {expected} is expected; save each as its own file")
        mode = file.mode
        ImageOps.exif_transpose(file, in_place=True)
        file.load()
        return file, mode


def require_bounded(width: int, height: int) -> None:
    """Raise `ValueError` for an image without pixels, or with more than `MAX_PIXELS`."""
    if not 0 < width * height <= MAX_PIXELS:
        raise ValueError(f"{width} x {height} pixels; expected 1 to {MAX_PIXELS:,} in total; scale it down first")


def eight_bits(values: np.ndarray) -> np.ndarray:
    """Scale grey values of any type to uint8: 255 (v - low) / (high - low), rounded half to even.

    low and high are the least and the greatest finite value of the image, because files of 10, 12 and 16 bits
    do not state their range otherwise; so brightness is comparable within an image, not between images. A
    constant image is black. Values that are not finite are clipped: NaN and -inf to 0, inf to 255. Raises
    `ValueError` if no value is finite.
    """
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if not finite.size:
        raise ValueError("has no finite value")
    low, high = float(finite.min()), float(finite.max())
    scaled = np.zeros(values.shape, np.uint8)
    if high == low:
        return scaled
    factor = 255.0 / (high - low)
    for start in range(0, len(values), BLOCK):  # a large image as float64 would take eight times its bytes
        block = (values[start : start + BLOCK].astype(np.float64) - low) * factor
        scaled[start : start + BLOCK] = np.rint(np.clip(np.nan_to_num(block, nan=0.0), 0, 255))
    return scaled
