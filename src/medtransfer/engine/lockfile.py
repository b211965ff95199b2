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
    """The entries of a lock file, as text, in their order.

    A file that is not as DVC writes it, after a merge by hand, is left to DVC.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        text = path.read_text(encoding="utf-8") if path.is_file() else HEAD
        body = text.removeprefix(HEAD)
        self._usual = text.startswith(HEAD) and not OTHER.search(body) and body[-1:] in ("", "\n")
        starts = [match.start() for match in ENTRY.finditer(body)] if self._usual else []
        found = [body[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)] if starts else []
        self._entries = {_key(entry): entry for entry in found}
        self._changed: dict[str, dict[str, Any]] = {}

    def put(self, stage: str, entry: dict[str, Any]) -> None:
        """Set the entry of a stage; a new one comes last."""
        from dvc.utils.serialize import dumps_yaml

        text = dumps_yaml({"schema": "2.0", "stages": {stage: entry}}).removeprefix(HEAD)
        if self._entries.get(_key(text)) != text:
            self._entries[_key(text)] = text
            self._changed[stage] = entry

    def write(self) -> None:
        """Write what has changed, in the form that DVC would give it."""
        if not self._changed:
            return
        if self._usual:
            write_text(self.path, HEAD + "".join(self._entries.values()))
        else:
            from dvc.utils.serialize import modify_yaml

            with modify_yaml(str(self.path)) as data:
                data.setdefault("stages", {}).update(self._changed)
        self._changed = {}

    @property
    def changed(self) -> bool:
        """Whether there is something to write."""
        return bool(self._changed)


def _key(entry: str) -> str:
    return entry.partition("\n")[0]
