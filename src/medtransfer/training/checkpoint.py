"""Where a run stands after its last whole epoch, so that a killed run goes on from there."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import torch

from medtransfer.files import atomic_file, sha256_of_file


def code_hash(*modules: str) -> str:
    """Give one hash of the package's source files named, relative to the package; a folder counts whole."""
    package = Path(__file__).parents[1]
    total = hashlib.sha256()
    for module in sorted(modules):
        path = package / module
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            total.update(f"{file.relative_to(package).as_posix()} {sha256_of_file(file)}\n".encode())
    return total.hexdigest()


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
