"""How much disk kept activations may take, and which go first."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from filelock import Timeout

from medtransfer.embeddings.shelf import lock_of
from medtransfer.errors import UserError

LIMIT_VARIABLE, DEFAULT_LIMIT_GB = "MEDTRANSFER_CACHE_GB", 10.0
SPARE = 0.5
"""The share of the free disk that is left alone."""

BLOCK = 512


def limit() -> int:
    """Give the most bytes that all kept activations may take: 10 GB, or what MEDTRANSFER_CACHE_GB says."""
    text = os.environ.get(LIMIT_VARIABLE, str(DEFAULT_LIMIT_GB))
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = -1.0
    if not gigabytes >= 0:
        raise UserError(f"{LIMIT_VARIABLE}: expected gigabytes, such as {DEFAULT_LIMIT_GB:g}, but got {text!r}")
    return int(gigabytes * 1e9)


def fits(root: Path, needed: int) -> bool:
    """Say whether `needed` bytes are within the limit and leave half of the disk's free space alone."""
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free + sum(size for _, size, _ in _shelves(root))
    return needed <= min(limit(), int(free * SPARE))


def make_room(root: Path, needed: int, keep: set[str]) -> None:
    """Delete the shelves below `root` that were used longest ago, until `needed` more bytes are within the limit.

    Those named in `keep` stay, and so do those that another process fills at the moment.
    """
    shelves = sorted(_shelves(root))
    total = sum(size for _, size, _ in shelves)
    for _, size, folder in shelves:
        if total + needed <= limit():
            return
        if folder.name not in keep and _delete(folder):
            total -= size


def _shelves(root: Path) -> list[tuple[float, int, Path]]:
    found = []
    for folder in root.glob("*/"):
        try:
            size = sum(path.stat().st_blocks * BLOCK for path in folder.iterdir())
            found.append((folder.stat().st_mtime, size, folder))
        except FileNotFoundError:  # another process deleted it meanwhile
            continue
    return found


def _delete(folder: Path) -> bool:
    try:
        with lock_of(folder).acquire(timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
    except Timeout:
        return False
    return True
