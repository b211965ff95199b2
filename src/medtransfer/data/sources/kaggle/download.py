"""Downloading an archive, resuming where an earlier attempt, of this run or another, was cut off.

`download_file(resume=True)` of the kaggle package would do part of this. Tried against the test server: in version
2.2.4 an error while resuming (503, or 403 once the signed address has expired) replaces the partial file with the body
of the error. Version 2.2.5 keeps the partial file, but it still appends a 206 without comparing its Content-Range,
records an archive that changed in between under its old ETag, accepts weak ETags, and shows a bar without the name of
the set, with messages on standard output.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import requests

from medtransfer.data.sources.kaggle.client import Client
from medtransfer.data.sources.kaggle.failures import RESUMES, understand
from medtransfer.data.sources.kaggle.reference import Reference, open_archive
from medtransfer.util.errors import UserError
from medtransfer.util.files import write_json
from medtransfer.util.progress import notice, progress

CHUNK = 1 << 14
"""Bytes read at once: a stalled connection loses those of the current chunk."""
PROGRESS = 1 << 20
"""Bytes after which an attempt counts as having made progress."""
FIRST_WAIT = 1.0
"""Seconds before the second attempt if the server names none; they double each time."""


class Partial:
    """The part of an archive that has arrived, with a marker of the bytes on the server that it is the start of."""

    def __init__(self, archive: Path) -> None:
        self.path = archive.with_suffix(".part")
        self._marker = archive.with_suffix(".part.json")

    @property
    def size(self) -> int:
        """The number of bytes that have arrived."""
        return self.path.stat().st_size if self.path.exists() else 0

    def begins(self, validator: str | None, size: int | None) -> bool:
        """Return whether this is the start of the archive with this validator and size."""
        if validator is None or not self.path.exists():
            return False
        try:
            known = json.loads(self._marker.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return known == {"validator": validator, "size": size}

    def restart(self, validator: str | None, size: int | None) -> None:
        """Delete what has arrived; what is written next belongs to this validator and size."""
        self.path.unlink(missing_ok=True)
        write_json(self._marker, {"validator": validator, "size": size})

    def finish(self, archive: Path) -> None:
        """Move it to the path of the archive."""
        self.path.replace(archive)
        self._marker.unlink(missing_ok=True)


def download(client: Client, reference: Reference, archive: Path) -> None:
    """Download the archive to the path `archive`, atomically.

    Failures that may pass are retried, after the wait that the server asks for, a limited number of times; an
    attempt that receives at least a megabyte restarts the count. Raises `UserError` for all others.
    """
    partial = Partial(archive)
    attempt = 0
    while True:
        before = partial.size
        try:
            _transfer(client, reference, partial)
            break
        except requests.RequestException as error:
            trouble = understand(error, reference, client)
        attempt = 1 if partial.size - before >= PROGRESS else attempt + 1
        if attempt >= trouble.attempts:
            raise UserError(trouble.line)
        wait = trouble.wait if trouble.wait is not None else FIRST_WAIT * 2 ** (attempt - 1)
        reason = trouble.line.removeprefix("data.kaggle: ").partition(";")[0]
        notice(f"{reason}: attempt {attempt} of {trouble.attempts}, the next in {wait:g} s")
        time.sleep(wait)
    partial.finish(archive)


def _transfer(client: Client, reference: Reference, partial: Partial) -> None:
    answer = open_archive(client, reference)
    validator, size = _identity(answer)
    if not partial.begins(validator, size):
        partial.restart(validator, size)
    elif partial.size == size:
        answer.close()
        return
    else:
        assert validator is not None
        answer = client.open_rest(answer, partial.size, validator)
        if answer.status_code == 416:
            partial.restart(None, None)
            raise requests.ConnectionError("the server has no such rest")
        answer.raise_for_status()
        if answer.status_code != 206 or _first_byte(answer) != partial.size:
            # No ranges here, or a new archive: the answer is the whole.
            validator, size = _identity(answer)
            partial.restart(validator, size)
    _require_space(partial, size)
    _append(answer, partial, size, reference)


def _first_byte(answer: requests.Response) -> int | None:
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _identity(answer: requests.Response) -> tuple[str | None, int | None]:
    """Return the validator of the archive's bytes, needed to resume, and their number, if the server states them."""
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        return None, None
    length, etag = answer.headers.get("Content-Length", ""), answer.headers.get("ETag", "").strip()
    # A weak ETag does not guarantee equal bytes.
    validator = (etag if not etag.startswith("W/") else None) or answer.headers.get("Last-Modified")
    return validator, int(length) if length.isdecimal() else None


def _require_space(partial: Partial, size: int | None) -> None:
    free = shutil.disk_usage(partial.path.parent).free
    if size is not None and size - partial.size > free:
        raise UserError(
            f"data.kaggle: the disk is too full: expected {(size - partial.size) / 1e6:,.0f} MB for the archive, but "
            f"{free / 1e6:,.0f} MB are free; free some and run again: {RESUMES}"
        )


def _append(answer: requests.Response, partial: Partial, size: int | None, reference: Reference) -> None:
    bar: Any
    with answer, partial.path.open("ab") as file, progress(size, reference.path, "B", initial=partial.size) as bar:
        for chunk in answer.iter_content(CHUNK):
            file.write(chunk)
            file.flush()
            bar.update(len(chunk))
    if size is not None and partial.size < size:
        raise requests.ConnectionError("fewer bytes than announced")
