"""Files that are complete or absent, and their hashes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from medtransfer.util.places import repository, state_folder
from medtransfer.util.processes import is_gone, process_name

OF_DVC = re.compile(r".*\.[\w-]{22}\.tmp")
"""The names of DVC's temporary files, which it leaves in its cache if it is killed or the disk is full."""
STALE_SECONDS = 600.0
UNFINISHED = "unfinished"
"""The folder, within the state folder, of files that are not complete."""


def shown(path: Path) -> str:
    """Return a path as the user would type it: relative to the current folder if it is below it."""
    return str(path.resolve().relative_to(Path.cwd())) if path.resolve().is_relative_to(Path.cwd()) else str(path)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path; rename the file to `path` at the end, or delete it after an error."""
    temporary = _temporary(path)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new temporary folder; it replaces `path` at the end, or is deleted after an error."""
    temporary = _temporary(path)
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _temporary(path: Path) -> Path:
    """Return an unused path with the suffix of `path`, by which writers choose the format.

    It is in the state folder of a study, since what a killed process leaves in a stage's folder would enter the inputs
    of the next stage; next to `path` if that is outside of the study, or on another file system, between which nothing
    can be renamed. Its name has that of the process; see `remove_abandoned`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    name = f"{process_name()}.{secrets.token_hex(8)}.{path.name}"
    root = repository()
    if (root / "dvc.yaml").is_file() and path.resolve().is_relative_to(root.resolve()):
        unfinished = state_folder() / UNFINISHED
        unfinished.mkdir(parents=True, exist_ok=True)
        if unfinished.stat().st_dev == path.parent.stat().st_dev:
            return unfinished / name
    return path.with_name(f".{name}")


def remove_abandoned() -> None:
    """Delete the temporary files and folders of the state folder whose process on this machine was killed."""
    unfinished = state_folder() / UNFINISHED
    for path in unfinished.iterdir() if unfinished.is_dir() else ():
        process = re.match(r".*?:\d+(?=\.)", path.name)
        if process is None or not is_gone(process[0]):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    _remove_abandoned_by_dvc()


def _remove_abandoned_by_dvc() -> None:
    """Delete the temporary files in DVC's cache that nothing has been written to for ten minutes."""
    for path in (repository() / ".dvc" / "cache").glob("files/md5/**/*.tmp"):
        with suppress(OSError):  # another process may delete it first
            if OF_DVC.fullmatch(path.name) and age(path) > STALE_SECONDS:
                path.unlink()


def age(path: Path) -> float:
    """Return the seconds since a file was written, by the clock of its file system.

    Other machines may write there, and the clock of this one may be an hour off.
    """
    with tempfile.TemporaryFile(dir=path.parent) as new:
        return os.fstat(new.fileno()).st_mtime - path.stat().st_mtime


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON with a final newline, atomically; floats keep their shortest exact form."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256_of_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_folder(folder: Path) -> str:
    """Return one hexadecimal SHA-256 of all files below `folder`: of their relative paths and their bytes."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(folder).as_posix()}\0{sha256_of_file(path)}\n".encode())
    return total.hexdigest()


def sha256_of_json(value: Any) -> str:
    """Return the hexadecimal SHA-256 of a value as JSON; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def measured(kind: str, about: dict[str, Any], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the result of `measure`, or the stored result of its first call for the same `about`.

    Results are stored in the state folder, so that repeated runs use the same. If several processes ask at the same
    time, one measures and the others wait.
    """
    path = state_folder() / kind / f"{sha256_of_json(about)[:32]}.json"
    state_folder().mkdir(parents=True, exist_ok=True)
    with FileLock(state_folder() / f"{kind}.lock"):
        if not path.exists():
            write_json(path, measure())
        found: dict[str, Any] = read_json(path)
        return found
