"""Where a run stands after a whole epoch, so that a killed run goes on from there."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from medtransfer.util.files import atomic_file

SECONDS = 1.0
"""How often a state is stored at most: an epoch on kept activations is shorter, and storing it would take as long."""


class Checkpoint:
    """The stored state of one run; saving replaces it whole, so that a kill leaves the one before."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.pt"
        self._saved = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """Give the last state, or None where the run has none."""
        if not self._path.exists():
            return None
        loaded: dict[str, Any] = torch.load(self._path, map_location="cpu", weights_only=True)
        return loaded

    def save(self, state: Callable[[], dict[str, Any]], last: bool) -> None:
        """Replace the stored state, tensors and plain values only; not twice in a second, but for the `last`."""
        if not last and time.monotonic() - self._saved < SECONDS:
            return
        with atomic_file(self._path) as temporary:
            torch.save(state(), temporary)
        self._saved = time.monotonic()


def delete_checkpoints(folder: Path) -> None:
    """Delete the checkpoints of a finished variant."""
    shutil.rmtree(folder, ignore_errors=True)
