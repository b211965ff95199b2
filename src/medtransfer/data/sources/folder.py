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
    if problem := folder_problem(source):
        raise UserError(problem)
    shutil.copytree(source, folder, dirs_exist_ok=True)
    return {"source": "folder", "reference": source.name, "version": None, "licence": None}


def folder_problem(source: Path) -> str | None:
    """Return the error line if a folder is missing or has no files."""
    if not source.is_dir():
        return f"data.folder: {source} is not a directory; put the images there, or name another folder"
    if not any(path.is_file() and not path.name.startswith(".") for path in source.rglob("*")):
        return f"data.folder: {source} is empty; put the images there, or name another folder"
    return None
