"""The state of a run after an epoch, from which an interrupted run resumes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from medtransfer.util.files import atomic_file

SECONDS = 1.0
"""The least time between two states: an epoch on cached features may take less time than storing its state."""


class Checkpoint:
    """The stored state of one run; saving replaces it atomically."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.pt"
        self._saved = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """Return the last state, or None if there is none."""
        if not self._path.exists():
            return None
        loaded: dict[str, Any] = torch.load(self._path, map_location="cpu", weights_only=True)
        return loaded

    def save(self, state: Callable[[], dict[str, Any]], last: bool) -> None:
        """Store a state of tensors and plain values; at most once per second, unless it is the `last`."""
        if not last and time.monotonic() - self._saved < SECONDS:
            return
        with atomic_file(self._path) as temporary:
            torch.save(state(), temporary)
        self._saved = time.monotonic()

    def delete(self) -> None:
        """Delete the stored state, if there is one."""
        self._path.unlink(missing_ok=True)
