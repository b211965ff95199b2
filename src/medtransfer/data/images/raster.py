"""PNG, JPEG, TIFF and the other picture formats, in all their modes, as 8-bit grey or RGB."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
"""Formats are recognised by content, so the list is closed: Pillow would hand a `.png` that holds PostScript to
Ghostscript."""

WIDE_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
MAX_PIXELS = 50_000_000
"""A header may claim billions of pixels; above this an image is refused before any are decoded."""

BLOCK = 256

# Pillow would print a warning for each odd tag of each file, and for sizes that `bounded` refuses; what matters
# is raised.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")


class UnreadableImageError(Exception):
    """A file that is no image, or a broken one; the message says which and why."""


def read_raster(path: Path) -> tuple[Image.Image, str]:
    """Read a picture file upright, as `L` or `RGB`, and give the mode in which the file holds it.

    Colour of 16 bits a channel keeps its high byte; grey of more than 8 bits goes through `eight_bits`.
    Raises `ValueError` for a file of several pages and for more than `MAX_PIXELS`, or what Pillow raises.
    """
    with Image.open(path, formats=FORMATS) as file:
        bounded(file.width, file.height)
        frames = 1 if file.format == "MPO" else getattr(file, "n_frames", 1)  # the others of MPO are previews
        if frames > 1:
            raise ValueError(f"holds {frames} pages or frames, but one image is expected; save each as its own file")
        return _plain(ImageOps.exif_transpose(file)), file.mode


def bounded(width: int, height: int) -> None:
    """Raise `ValueError` for an image without pixels, or with more than `MAX_PIXELS`."""
    if not 0 < width * height <= MAX_PIXELS:
        raise ValueError(f"{width} x {height} pixels; expected 1 to {MAX_PIXELS:,} in all, so scale it down first")


def eight_bits(values: np.ndarray) -> np.ndarray:
    """Scale grey values of any type to uint8: 255 (v - low) / (high - low), rounded half to even.

    low and high are the image's own least and greatest finite values, because files of 10, 12 and 16 bits
    give no other sign of their range; so brightness is comparable within an image, not between images. A
    constant image is black. What is not finite is clipped: NaN and -inf to 0, inf to 255. Raises
    `ValueError` where no value is finite.
    """
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if not finite.size:
        raise ValueError("holds no finite value")
    low, high = float(finite.min()), float(finite.max())
    scaled = np.zeros(values.shape, np.uint8)
    if high == low:
        return scaled
    factor = 255.0 / (high - low)
    for start in range(0, len(values), BLOCK):  # float64 of a whole large image would take eight times its bytes
        block = (values[start : start + BLOCK].astype(np.float64) - low) * factor
        scaled[start : start + BLOCK] = np.rint(np.clip(np.nan_to_num(block, nan=0.0), 0, 255))
    return scaled


def _plain(image: Image.Image) -> Image.Image:
    if image.mode in WIDE_MODES:
        return Image.fromarray(eight_bits(np.asarray(image)))
    if image.mode in ("L", "1"):
        return image.convert("L")
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        image = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image.alpha_composite(with_alpha)
    return image.convert("RGB")
