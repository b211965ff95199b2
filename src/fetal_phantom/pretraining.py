"""Simulated ultrasound scenes with yes-or-no questions about their parameters, for a short pretraining."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fetal_phantom.acquisition import acquire
from fetal_phantom.limits import SMALLEST_SIZE, require_at_least
from fetal_phantom.scenarios import QUESTIONS, draw_scenario
from fetal_phantom.sector import polar_grid
from fetal_phantom.streams import Stream, generator


def pretraining_set(count: int, size: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32], tuple[str, ...]]:
    """Simulate scenes whose tissue kinds and measures, not any class, are to be told from the image.

    Image `i` and its answers depend on `seed`, `size` and `i` alone, so a smaller set is the start of a
    larger one.

    Args:
        count: number of images, at least 0.
        size: side of the images in pixels, at least 32.
        seed: of everything random, at least 0.

    Returns:
        Images, [count, size, size], 0 to 255; answers, [count, q], 0 or 1; and the q questions.

    Raises:
        ValueError: when an argument is out of its range.
    """
    require_at_least(0, count=count, seed=seed)
    require_at_least(SMALLEST_SIZE, size=size)
    images = np.empty((count, size, size), np.uint8)
    answers = np.empty((count, len(QUESTIONS)), np.float32)
    for index in range(count):
        rng = generator(Stream.PRETRAINING, seed, index)
        scenario = draw_scenario(rng)
        images[index] = acquire(scenario.scene, polar_grid(scenario.sector, size), scenario.acquisition, rng)
        answers[index] = scenario.answers
    return images, answers, QUESTIONS
