"""A set in a folder of this machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from medtransfer.data.sources import SOURCES
from medtransfer.study import Data
from medtransfer.util.errors import UserError


@SOURCES.entry("folder")
def copy_folder(folder: Path, data: Data, seed: int) -> dict[str, Any]:
    """Copy every file below `data.folder`, following links.

    They are copies, not hard links, because DVC makes what it caches read-only. Raises `UserError` if
    `data.folder` is missing or empty.
    """
    source = Path(data.folder)
    if not source.is_dir():
        raise UserError(f"data.folder: {source} is not a directory; expected a folder of images")
    if not any(path.is_file() for path in source.rglob("*")):
        raise UserError(f"data.folder: {source} is empty; put the files of the set there, or name another folder")
    shutil.copytree(source, folder, dirs_exist_ok=True)
    return {"source": "folder", "reference": source.name, "version": None, "licence": None}
