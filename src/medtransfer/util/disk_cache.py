"""Caches on disk, a folder each, that may be deleted at any time: their limit and their locks."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from medtransfer.util.errors import UserError

LIMIT_VARIABLE, DEFAULT_LIMIT_GB = "MEDTRANSFER_CACHE_GB", 10.0
USABLE_SHARE = 0.5
"""The share of the free disk space that caches may take."""

DISK_BLOCK = 512


def lock_of(folder: Path) -> FileLock:
    """Return the lock of a cache's folder; its file is next to the folder, so that it survives a deletion."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(folder.with_suffix(".lock"))


def limit() -> int:
    """Return the size in bytes that all caches together may have: MEDTRANSFER_CACHE_GB, or 10 GB."""
    text = os.environ.get(LIMIT_VARIABLE, str(DEFAULT_LIMIT_GB))
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = -1.0
    if not gigabytes >= 0:
        raise UserError(f"{LIMIT_VARIABLE}: expected gigabytes, such as {DEFAULT_LIMIT_GB:g}, but got {text!r}")
    return int(gigabytes * 1e9)


def fits(root: Path, needed: int) -> bool:
    """Return whether `needed` bytes are within the limit and leave half of the disk's free space."""
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free + sum(size for _, size, _ in _caches(root))
    return needed <= min(limit(), int(free * USABLE_SHARE))


def evict(root: Path, needed: int, keep: set[str]) -> None:
    """Delete the least recently used caches in `root` until `needed` more bytes are within the limit.

    Those named in `keep` stay, and so do those that another process is filling.
    """
    caches = sorted(_caches(root))
    total = sum(size for _, size, _ in caches)
    for _, size, folder in caches:
        if total + needed <= limit():
            return
        if folder.name not in keep and _delete(folder):
            total -= size


def _caches(root: Path) -> list[tuple[float, int, Path]]:
    """List the time of last use, the size in bytes and the folder of each cache."""
    found = []
    for folder in root.glob("*/"):
        with suppress(FileNotFoundError):  # another process deleted it meanwhile
            size = sum(path.stat().st_blocks * DISK_BLOCK for path in folder.iterdir())
            found.append((folder.stat().st_mtime, size, folder))
    return found


def _delete(folder: Path) -> bool:
    try:
        with lock_of(folder).acquire(timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
    except Timeout:
        return False
    return True
