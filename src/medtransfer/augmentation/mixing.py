"""Two images into one, with the label shared between them."""

from __future__ import annotations

import numpy as np


def mixup(first: np.ndarray, second: np.ndarray, share: float) -> tuple[np.ndarray, float]:
    """Blend two uint8 images; `share` in [0, 1] is the first one's (Zhang et al. 2018, mixup).

    Returns the blend, rounded, and the share unchanged.
    """
    blend = share * first.astype(np.float32) + (1.0 - share) * second.astype(np.float32)
    return np.rint(blend).astype(np.uint8), share


def cutmix(first: np.ndarray, second: np.ndarray, share: float, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Paste a box of `second` into `first` (Yun et al. 2019, CutMix).

    The box has the image's proportions and the area 1 - share, its centre is uniform, and it is cut at the
    border. Images are [height, width, channels]. Returns the picture and the exact share left of `first`.
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
