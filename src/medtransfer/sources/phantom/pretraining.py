"""Simulated ultrasound scenes with their own parameters as targets, for a short pretraining."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medtransfer.sources.phantom.acquisition import acquire
from medtransfer.sources.phantom.limits import SMALLEST_SIZE, require_at_least
from medtransfer.sources.phantom.scenarios import draw_scenario
from medtransfer.sources.phantom.sector import polar_grid
from medtransfer.sources.phantom.streams import Stream, generator
from medtransfer.sources.phantom.targets import TARGETS, scaled


def pretraining_set(count: int, size: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32], tuple[str, ...]]:
    """Simulate scenes whose parameters, not any class, are to be told from the image.

    Image `i` and its targets depend on `seed`, `size` and `i` alone, so a smaller set is the start of a
    larger one.

    Args:
        count: number of images, at least 0.
        size: side of the images in pixels, at least 32.
        seed: of everything random, at least 0.

    Returns:
        Images, [count, size, size], 0 to 255; targets, [count, d], each of about zero mean and unit variance
        by constants that do not depend on the sample; and the d names of the targets.

    Raises:
        ValueError: when an argument is out of its range.
    """
    require_at_least(0, count=count, seed=seed)
    require_at_least(SMALLEST_SIZE, size=size)
    images = np.empty((count, size, size), np.uint8)
    targets = np.empty((count, len(TARGETS)), np.float32)
    for index in range(count):
        rng = generator(Stream.PRETRAINING, seed, index)
        scenario = draw_scenario(rng)
        images[index] = acquire(scenario.scene, polar_grid(scenario.sector, size), scenario.acquisition, rng)
        targets[index] = scaled(scenario.truth)
    return images, targets, tuple(target.name for target in TARGETS)
