"""Where a run stands after its last whole epoch, so that a killed run goes on from there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from medtransfer.files import atomic_file


class Checkpoint:
    """The stored state of one run; saving replaces it whole, so that a kill leaves the one before."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.pt"

    def load(self) -> dict[str, Any] | None:
        """Give the last state, or None where the run has none."""
        if not self._path.exists():
            return None
        loaded: dict[str, Any] = torch.load(self._path, map_location="cpu", weights_only=True)
        return loaded

    def save(self, state: dict[str, Any]) -> None:
        """Replace the stored state; tensors and plain values only."""
        with atomic_file(self._path) as temporary:
            torch.save(state, temporary)


def delete_checkpoints(folder: Path) -> None:
    """Delete the checkpoints of a finished variant."""
    shutil.rmtree(folder, ignore_errors=True)
