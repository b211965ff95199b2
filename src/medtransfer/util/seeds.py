"""Random numbers seeded by their purpose, never by the state of a worker or of the process."""

from __future__ import annotations

import hashlib

import numpy as np

Key = str | int


def seed_from(*keys: Key) -> int:
    """Return a 63-bit seed that depends only on `keys`: on their types, values and order."""
    text = "\x1f".join(f"{type(key).__name__}:{key}" for key in keys)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big") >> 1


def generator(*keys: Key) -> np.random.Generator:
    """Return a NumPy generator seeded by `keys`, such as ("view", seed, view, image id)."""
    return np.random.default_rng(seed_from(*keys))
