"""The smallest values that the arguments of the simulation may have."""

from __future__ import annotations

# Below this the atrium of a normal ventricle is not even a pixel wide.
SMALLEST_SIZE = 32


def require_at_least(least: int, **arguments: int) -> None:
    """Raise a ValueError that names the first argument below `least`."""
    for name, value in arguments.items():
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
