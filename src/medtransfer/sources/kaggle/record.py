"""What was downloaded once: `data/kaggle.lock.json`, which git keeps and every later download is held against."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from filelock import FileLock

from medtransfer.errors import UserError
from medtransfer.files import repository, state_folder, write_json

RECORD = "data/kaggle.lock.json"
"""Its place in the repository.

It is neither an out of DVC's, which are deleted before a stage runs and so could not be read back, nor a
dependency, which a stage may not write. Like `requirements.lock` it belongs in git: then a colleague's first
download is held against it too. An entry is keyed by reference and version, so experiments share the file.
"""


def recorded(key: str) -> dict[str, Any] | None:
    """Give what the record says of `key`, or None where it was never downloaded."""
    entry = _read().get(key)
    return entry if isinstance(entry, dict) else None


def record(key: str, entry: dict[str, Any]) -> None:
    """Write an entry, beside those that other runs write at the same time."""
    with FileLock(state_folder() / "kaggle.lock"):
        entries = _read()
        if entries.get(key) != entry:
            write_json(repository() / RECORD, dict(sorted((entries | {key: entry}).items())))


def _read() -> dict[str, Any]:
    path: Path = repository() / RECORD
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        entries = None
    if not isinstance(entries, dict):
        raise UserError(f"{RECORD}: expected JSON; restore it with `git checkout {RECORD}`")
    return entries
