"""The arguments of the simulation: their limits, and the random generators that they seed."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

# Below this the atrium of a normal ventricle is not even a pixel wide.
SMALLEST_SIZE = 32


class Stream(IntEnum):
    """The use of a generator; from 1, because NumPy does not distinguish a trailing 0 from a missing number."""

    CLASSES = 1
    PATIENT = 2
    FRAME = 3
    SPLITS = 4


def generator(stream: Stream, seed: int, index: int = 0, frame: int = 0) -> np.random.Generator:
    """Return the generator of one patient, frame or image; it depends only on the arguments."""
    return np.random.default_rng([frame, index, seed, stream])


def require_at_least(least: int, **arguments: int) -> None:
    """Raise a `ValueError` that names the first argument below `least`."""
    for name, value in arguments.items():
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
