"""Packed pixels under the hash of their content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pixels:
    """Images of one array: the hash of all of them, their number, the bytes of one, and a function that reads some.

    read: item numbers [n] to uint8 [n, size, size, channels].
    """

    sha256: str
    count: int
    row_bytes: int
    read: Callable[[np.ndarray], np.ndarray]
