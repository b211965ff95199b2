"""`dvc.lock`, written entry by entry: DVC parses and formats the whole file for every stage that it commits."""

from __future__ import annotations

import re
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import Any

from medtransfer.util.files import write_text

HEAD = "schema: '2.0'\nstages:\n"
ENTRY = re.compile(r"^  (?=\S)", re.MULTILINE)
OTHER = re.compile(r"^(?=\S)", re.MULTILINE)

PLAIN = re.compile(
    r"(?!(?i:null|true|false|yes|no|on|off|y|n)$)[A-Za-z][\w./@-]*|(?=[0-9a-f]*[acdf])[0-9a-f]{32}(\.dir)?"
)
"""Words that are written as they are: names, paths and hashes."""
WIDTH = 80
"""Longer lines may be folded."""
EMPTY: dict[type, str] = {dict: "{}", OrderedDict: "{}", list: "[]"}


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


def text_of(data: Any) -> str | None:
    """Return the YAML text that DVC writes for an entry, ten times as fast; None if that must be left to DVC."""
    try:
        return f"{_block(data, '')}\n" if type(data) in (dict, OrderedDict) and data else None
    except ValueError:
        return None


def _block(data: Any, indent: str) -> str:
    if type(data) is list:
        lines = (_block(each, f"{indent}  ").lstrip() if _nested(each) else _scalar(each, indent) for each in data)
        return "\n".join(f"{indent}- {line}" for line in lines)
    found = []
    for key, value in data.items():
        if type(key) is not str or not PLAIN.fullmatch(key) or len(key) > WIDTH:
            raise ValueError
        before = f"{indent}{key}:"
        deeper = indent if type(value) is list else f"{indent}  "
        nested = f"\n{_block(value, deeper)}" if _nested(value) else ""
        found += [before + (nested or ("" if value is None else f" {_scalar(value, before)}"))]
    return "\n".join(found)


def _nested(value: Any) -> bool:
    return type(value) in EMPTY and len(value) > 0


def _scalar(value: Any, before: str) -> str:
    if type(value) is str and PLAIN.fullmatch(value):
        return value
    if type(value) not in (*EMPTY, str, int, float, bool):
        raise ValueError
    text = EMPTY[type(value)] if type(value) in EMPTY else _by_dvc(repr(value), value)
    if len(before) + len(text) + 3 > WIDTH or "\n" in text:
        raise ValueError
    return text


@lru_cache(4096)
def _by_dvc(word: str, value: Any) -> str:
    """Return the text of a number or an unusual word; `word` keeps 0, 0.0, -0.0 and False apart."""
    from dvc.utils.serialize import dumps_yaml

    return dumps_yaml([value]).removeprefix("- ").removesuffix("\n")
