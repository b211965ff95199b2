"""Masks of a set that is read for its classes: recognised by name and content, and left out."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path, PurePosixPath

import numpy as np

from medtransfer.data.images.raster import open_raster
from medtransfer.data.layouts.files import images_below, relative_to
from medtransfer.data.layouts.mask_pairs import mask_pairs, unpaired_masks

MOST_OPENED = 8
MOST_VALUES = 16
NEAR_AN_END, ENOUGH = 16, 0.9
"""A mask has few values, or nearly all of its pixels are nearly black or nearly white, as after JPEG compression."""


def unused_masks(root: Path, base: str, left_out: Collection[str] = frozenset()) -> dict[str, str]:
    """Map masks below the folder `base` of a set to their images, as paths relative to `root`; often there are none.

    There are none either if a file in a folder of masks belongs to no image, or if one of up to eight that are opened
    does not look like a mask: then the names alone are not evidence enough.
    """
    images = [PurePosixPath(path) for path in relative_to(root, images_below(root / base)) if path not in left_out]
    pairs = mask_pairs(images)
    masks = [mask for mask, _ in pairs]
    if not masks or unpaired_masks(images, pairs) or set(masks) & {image for _, image in pairs}:
        return {}
    opened = sorted(set(masks))[:: -(-len(masks) // MOST_OPENED)]
    if not all(_looks_like_a_mask(root / mask) for mask in opened):
        return {}
    return {str(mask): str(image) for mask, image in pairs}


def _looks_like_a_mask(path: Path) -> bool:
    try:
        values = np.asarray(open_raster(path, "mask")[0].convert("L"))
    except (OSError, ValueError, SyntaxError):
        return False
    extreme = (values < NEAR_AN_END) | (values > 255 - NEAR_AN_END)
    return len(np.unique(values)) <= MOST_VALUES or bool(extreme.mean() >= ENOUGH)
