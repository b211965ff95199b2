"""A set in a folder of this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medtransfer.data.layouts.files import files_below, is_junk
from medtransfer.data.sources import SOURCES
from medtransfer.study import Data
from medtransfer.util.errors import UserError
from medtransfer.util.files import shown
from medtransfer.util.places import HERE
from medtransfer.util.text import UNSHOWN, counted

OWN = (HERE.raw, HERE.prepared, HERE.models, HERE.root / "weights", HERE.plots, HERE.results)
"""Folders of the pipeline's own outs: DVC deletes them before a stage runs."""


@SOURCES.entry("folder")
def copy_folder(folder: Path, data: Data, seed: int) -> dict[str, Any]:
    """Copy every file below `data.folder`, following links, but none back to a folder above.

    They are copies, not hard links, because DVC makes what it caches read-only; permissions are not copied, so that a
    read-only source does not make a copy that cannot be deleted. Raises `UserError` if `data.folder` cannot be read.
    """
    if problem := folder_problem(Path(data.folder)):
        raise UserError(problem)
    source = Path(data.folder).expanduser()
    files = files_below(source)
    if problem := _damage(source, files):
        raise UserError(f"data.folder: {data.folder}: {problem}")
    try:
        for file in files:
            target = folder / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    except OSError as error:
        raise UserError(f"data.folder: cannot copy {error.filename}: {error.strerror}") from None
    return {"source": "folder", "reference": source.resolve().name, "version": None, "licence": None}


def folder_problem(folder: Path) -> str | None:
    """Return the error line if a folder cannot be the source: it is missing, empty or the pipeline's own."""
    where, source = f"data.folder: {folder}", folder.expanduser()
    remedy = "put the images there, or name another folder"
    if not source.is_dir():
        return f"{where} is not a directory; {remedy}"
    whole = source.resolve()
    for own in (place.resolve() for place in OWN):
        if whole.is_relative_to(own) or own.is_relative_to(whole):
            return (
                f"{where} {'is in' if whole.is_relative_to(own) else 'contains'} {shown(own)}, which the pipeline "
                "overwrites; move the images to a folder of their own, such as data/incoming"
            )
    if not any(path.is_file() and not path.name.startswith(".") for path in source.rglob("*")):
        return f"{where} is empty; {remedy}"
    return None


def _damage(source: Path, files: Sequence[Path]) -> str | None:
    """Return a problem if Parquet, JSON or a page could not contain a name, or something is not a plain file."""
    odd = [file for file in files if not _is_utf_8(str(file.relative_to(source)))]
    if odd:
        return (
            f"{counted(len(odd), 'name')} not in UTF-8, such as {os.fsencode(odd[0].name)!r}; rename the files, "
            f"for example by convmv -f latin1 -t utf8 -r --notest {source}"
        )
    unshown = [file for file in files if UNSHOWN.search(str(file.relative_to(source)))]
    if unshown:
        return (
            f"{counted(len(unshown), 'name')} with control characters, such as {unshown[0].relative_to(source)}; "
            "rename the files"
        )
    special = [path for path in source.rglob("*") if path.exists() and not path.is_file() and not path.is_dir()]
    if special:
        return (
            f"{counted(len(special), 'pipe or device', 'pipes or devices')} among the files, such as "
            f"{special[0].relative_to(source)}; delete them"
        )
    broken = [path for path in source.rglob("*") if path.is_symlink() and not path.exists()]
    broken = [path for path in broken if not is_junk(path.relative_to(source))]
    if broken:
        return (
            f"{counted(len(broken), 'link')} to files that do not exist, such as {broken[0].relative_to(source)}; "
            "restore or delete them"
        )
    return None


def _is_utf_8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
