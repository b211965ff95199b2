"""A set that already lies on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from medtransfer.errors import UserError


def copy_folder(source: Path, target: Path) -> None:
    """Copy every file below `source` into the existing folder `target`; links are followed.

    They are copies, not hard links, because DVC makes what it caches read-only. Raises `UserError` where
    `source` is missing or empty.
    """
    if not source.is_dir():
        raise UserError(f"data.folder: expected a folder of images, but {source} is none")
    if not any(path.is_file() for path in source.rglob("*")):
        raise UserError(f"data.folder: {source} is empty; put the set's files there, or name another folder")
    shutil.copytree(source, target, dirs_exist_ok=True)
