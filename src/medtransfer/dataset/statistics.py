"""Mean and standard deviation of packed pixels."""

from __future__ import annotations

import numpy as np

from medtransfer.dataset.packed import Images

CHUNK = 256
Triple = tuple[float, float, float]


def pixel_statistics(images: Images, rows: np.ndarray) -> tuple[Triple, Triple]:
    """Give the mean and the standard deviation over all pixels of `rows`, three channels, in [0, 1]."""
    counts = np.zeros((images.shape[-1], 256), dtype=np.int64)
    for start in range(0, len(rows), CHUNK):
        block = images[rows[start : start + CHUNK]]
        for channel in range(images.shape[-1]):
            counts[channel] += np.bincount(block[..., channel].ravel(), minlength=256)
    levels, shares = np.arange(256) / 255.0, counts / counts.sum(axis=1, keepdims=True)
    mean = shares @ levels
    std = np.sqrt(np.maximum(shares @ levels**2 - mean**2, 1e-12))
    repeat = 3 // images.shape[-1]
    return _triple(np.repeat(mean, repeat)), _triple(np.repeat(std, repeat))


def _triple(values: np.ndarray) -> Triple:
    first, second, third = (float(value) for value in values)
    return first, second, third
