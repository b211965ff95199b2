"""Masks whose background may be their foreground."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medtransfer.data.images.packed import Packed

LEAST_SHARE = 0.5
LEAST_BORDER = 0.9
"""The least share of the border of an image that its foreground covers for the mask to look inverted."""
MOST = 0.8
"""The least share of masks that look inverted for a warning: a lesion may fill a few images."""


def inverted_masks_warning(masks: Packed, classes: Sequence[str]) -> list[str]:
    """Return a warning if the foreground covers more than half of most images and nearly all of their border.

    `masks`: class numbers, [images, size, size], 0 for background. What is segmented is rarely so large: in an inverted
    mask the object is black and all else is white. With several classes there is no warning, since they may well fill
    an image together.
    """
    if len(classes) != 1 or not len(masks):
        return []
    found, shares = 0, []
    for mask in masks:
        foreground = np.asarray(mask) > 0
        border = np.concatenate([foreground[0], foreground[-1], foreground[1:-1, 0], foreground[1:-1, -1]])
        if foreground.mean() > LEAST_SHARE and border.mean() >= LEAST_BORDER:
            found += 1
            shares.append(float(foreground.mean()))
    if found < MOST * len(masks):
        return []
    return [
        f"MASKS MAY BE INVERTED: in {found} of {len(masks)} images {classes[0]} covers the border and "
        f"{np.mean(shares):.0%} of all pixels; if black is to be segmented, set data.masks.classes: {{{classes[0]}: 0}}"
    ]
