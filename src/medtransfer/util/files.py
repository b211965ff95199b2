"""Files that are whole or not there at all, and their hashes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

STATE_FOLDER = ".medtransfer"
PLAN = "plan.json"
"""Where `medtransfer plan`, in the state folder, leaves its estimates for the page."""


def repository() -> Path:
    """Give the repository's root: the one that a DVC experiment was started from, not its temporary workspace."""
    return Path(os.environ.get("DVC_ROOT", "."))


def state_folder() -> Path:
    """Give the git-ignored folder of checkpoints, computed features and unfinished downloads.

    It stands in the repository that a DVC experiment was started from, so that a temporary workspace shares
    it. Everything in it is keyed by its content and may be deleted at any time.
    """
    return repository() / STATE_FOLDER


def shown(path: Path) -> str:
    """Write a path as its user would type it: from the current folder where it lies below it."""
    return str(path.resolve().relative_to(Path.cwd())) if path.resolve().is_relative_to(Path.cwd()) else str(path)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it there at the end, or delete it after an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`; it replaces `path` at the end, or is deleted after an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON with a final newline, atomically; floats keep their shortest exact form."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256_of_file(path: Path) -> str:
    """Give the hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_json(value: Any) -> str:
    """Give the hexadecimal SHA-256 of a value as JSON; the order of keys does not count."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def measured(kind: str, about: dict[str, Any], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Give what was measured once for the same `about`; the state folder keeps it, so that reruns go by the same.

    Of processes that ask at the same time one measures, and the others wait for it.
    """
    path = state_folder() / kind / f"{sha256_of_json(about)[:32]}.json"
    state_folder().mkdir(parents=True, exist_ok=True)
    with FileLock(state_folder() / f"{kind}.lock"):
        if not path.exists():
            write_json(path, measure())
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found


def sha256_of_folder(folder: Path) -> str:
    """Give one SHA-256 for all files below `folder`: their relative paths and their bytes."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(folder).as_posix()}\0{sha256_of_file(path)}\n".encode())
    return total.hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
