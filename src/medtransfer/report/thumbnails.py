"""Thumbnails of images and masks, as data URIs."""

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
"""The size limit of all thumbnails of a section, encoded: the page has to stay below 5 MB."""


class Thumbnails:
    """Thumbnails of prepared images, and stencils of their true masks, until `MOST_BYTES` are used."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared, self._left = prepared, MOST_BYTES
        self._row = {path: number for number, path in enumerate(prepared.table["path"])}

    def of(self, path: str) -> str | None:
        """Return the thumbnail of an image, or None if the limit is reached."""
        image = Image.fromarray(np.asarray(self._prepared.images[self._row[path]]).squeeze())
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        picture = as_webp(image, QUALITY)
        self._left -= len(picture)
        return None if self._left < 0 else picture

    def true_area(self, path: str) -> str:
        """Return the area of an image's true mask as a stencil."""
        return area_of(self._prepared.targets(np.array([self._row[path]]))[0])


def as_webp(image: Image.Image, quality: int) -> str:
    """Return an image as a data URI."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=6)
    return _uri(buffer, "webp")


def area_of(mask: np.ndarray) -> str:
    """Return the area of all classes of a mask, uint8 [h, w], as a stencil."""
    return _stencil(_scaled(mask) > 0)


def outline_of(mask: np.ndarray) -> str:
    """Return the outlines of the classes of a mask, uint8 [h, w], as a stencil."""
    scaled = _scaled(mask)
    kernel = np.ones((2 * OUTLINE + 1, 2 * OUTLINE + 1), np.uint8)
    inner = cv2.erode(scaled, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return _stencil((scaled > 0) & (inner != scaled))


def _scaled(mask: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(mask, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_NEAREST))


def _stencil(chosen: np.ndarray) -> str:
    """Return a PNG that is opaque where chosen and transparent elsewhere; the page's style gives it a colour."""
    buffer = io.BytesIO()
    Image.fromarray(chosen).save(buffer, "PNG", optimize=True, transparency=0)
    return _uri(buffer, "png")


def _uri(buffer: io.BytesIO, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
