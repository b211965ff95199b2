"""Small pictures of prepared images and of masks, as data URIs."""

from __future__ import annotations

import base64
import io

import cv2
import numpy as np
from PIL import Image

from medtransfer.data.prepared import Prepared

SIDE, QUALITY = 96, 55
MASK_SIDE, OUTLINE = 128, 2
MOST_BYTES = 1_900_000
"""Of all thumbnails together, as the page writes them: the page has to stay under 5 MB."""


class Thumbnails:
    """Small pictures of prepared images, until there are too many bytes of them."""

    def __init__(self, prepared: Prepared) -> None:
        self._images = prepared.images
        self.row = {path: number for number, path in enumerate(prepared.table["path"])}
        self._left = MOST_BYTES

    def of(self, path: str) -> str | None:
        """Give the picture of an image, or None where no more fit."""
        image = Image.fromarray(np.asarray(self._images[self.row[path]]).squeeze())
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        picture = as_webp(image, QUALITY)
        self._left -= len(picture)
        return None if self._left < 0 else picture


def as_webp(image: Image.Image, quality: int) -> str:
    """Give a picture as a data URI."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=6)
    return _uri(buffer, "webp")


def area_of(mask: np.ndarray) -> str:
    """Give the area of all classes of a mask, uint8 [h, w], as a stencil."""
    return _stencil(_scaled(mask) > 0)


def outline_of(mask: np.ndarray) -> str:
    """Give the outlines of the classes of a mask, uint8 [h, w], as a stencil."""
    scaled = _scaled(mask)
    kernel = np.ones((2 * OUTLINE + 1, 2 * OUTLINE + 1), np.uint8)
    inner = cv2.erode(scaled, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return _stencil((scaled > 0) & (inner != scaled))


def _scaled(mask: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(mask, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_NEAREST))


def _stencil(chosen: np.ndarray) -> str:
    """Write a picture that is opaque where chosen and nothing elsewhere: the page gives it its colour."""
    image = Image.fromarray(chosen)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True, transparency=0)
    return _uri(buffer, "png")


def _uri(buffer: io.BytesIO, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
