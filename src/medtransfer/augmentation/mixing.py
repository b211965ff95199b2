"""Mixes: functions that combine two images and return the share of the first in the result."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from medtransfer.util.registry import Registry

Mix = Callable[[np.ndarray, np.ndarray, float, np.random.Generator], tuple[np.ndarray, float]]
"""Take two uint8 images [height, width, channels], the share of the first in [0, 1] and a generator.

Return the mixed image and the exact share of the first image in it. Masks are mixed as one more channel of their
images, so a mix for segmentation must not blend values.
"""

MIXES: Registry[Mix] = Registry("mix")


@MIXES.entry("mixup")
def mixup(first: np.ndarray, second: np.ndarray, share: float, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Blend two images and round (Zhang et al. 2018, mixup)."""
    blend = share * first.astype(np.float32) + (1.0 - share) * second.astype(np.float32)
    return np.rint(blend).astype(np.uint8), share


@MIXES.entry("cutmix")
def cutmix(first: np.ndarray, second: np.ndarray, share: float, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Paste a box of the second image into the first (Yun et al. 2019, CutMix).

    The box has the proportions of the image, the area 1 - share and a uniform centre, and is cut off at the border.
    """
    height, width = first.shape[:2]
    side = float(np.sqrt(1.0 - share))
    centre_y, centre_x = int(rng.integers(height)), int(rng.integers(width))
    half_y, half_x = int(height * side) // 2, int(width * side) // 2
    top, bottom = max(centre_y - half_y, 0), min(centre_y + half_y, height)
    left, right = max(centre_x - half_x, 0), min(centre_x + half_x, width)
    mixed = first.copy()
    mixed[top:bottom, left:right] = second[top:bottom, left:right]
    return mixed, 1.0 - (bottom - top) * (right - left) / (height * width)
