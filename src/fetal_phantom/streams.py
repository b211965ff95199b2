"""Independent random generators for the parts of the simulation."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a generator is for; from 1, for NumPy does not tell a trailing 0 from a missing number."""

    CLASSES = 1
    PATIENT = 2
    FRAME = 3
    SPLITS = 4
    PRETRAINING = 5


def generator(stream: Stream, seed: int, index: int = 0, frame: int = 0) -> np.random.Generator:
    """The generator of one patient, frame or image, which depends on the arguments alone."""
    return np.random.default_rng([frame, index, seed, stream])
