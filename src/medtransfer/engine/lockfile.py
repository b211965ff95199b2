"""`dvc.lock`, written entry by entry: DVC parses and formats the whole file for every stage that it commits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from medtransfer.util.files import write_text

HEAD = "schema: '2.0'\nstages:\n"
ENTRY = re.compile(r"^  (?=\S)", re.MULTILINE)
OTHER = re.compile(r"^(?=\S)", re.MULTILINE)


class LockFile:
    """Entries to write into a lock file, next to those that other commands write meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: dict[str, dict[str, Any]] = {}

    def put(self, stage: str, entry: dict[str, Any]) -> None:
        """Set the entry of a stage; `write` writes it."""
        self._waiting[stage] = entry

    @property
    def changed(self) -> bool:
        """Whether there is something to write."""
        return bool(self._waiting)

    def write(self) -> None:
        """Write what was put since, in the form that DVC would give it; the entry of a new stage comes last.

        A file that is not as DVC writes it, after a merge by hand, is left to DVC.
        """
        from dvc.utils.serialize import dumps_yaml, modify_yaml

        text = self.path.read_text(encoding="utf-8") if self.path.is_file() else HEAD
        entries = _entries_of(text)
        if entries is None:
            with modify_yaml(str(self.path)) as data:
                data.setdefault("stages", {}).update(self._waiting)
        else:
            for stage, entry in self._waiting.items():
                new = dumps_yaml({"schema": "2.0", "stages": {stage: entry}}).removeprefix(HEAD)
                entries[_key(new)] = new
            if (found := HEAD + "".join(entries.values())) != text:
                write_text(self.path, found)
        self._waiting = {}


def _entries_of(text: str) -> dict[str, str] | None:
    """Return the entries of a lock file by their first lines; None if it is not as DVC writes it."""
    body = text.removeprefix(HEAD)
    if not text.startswith(HEAD) or OTHER.search(body) or body[-1:] not in ("", "\n"):
        return None
    starts = [match.start() for match in ENTRY.finditer(body)]
    return {_key(body[start:]): body[start:end] for start, end in zip(starts, [*starts[1:], None], strict=False)}


def _key(entry: str) -> str:
    return entry.partition("\n")[0]
