"""Downloads an archive, going on where an earlier attempt, in this run or another, was cut off."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import requests

from medtransfer.data.sources.kaggle.client import Client, Reference
from medtransfer.data.sources.kaggle.failures import understand
from medtransfer.util.errors import UserError
from medtransfer.util.files import write_json
from medtransfer.util.progress import notice, progress

CHUNK = 1 << 14
"""Bytes read at once: a stalled connection loses the chunk that was under way."""
PROGRESS = 1 << 20
"""Bytes after which an attempt counts as having got on."""
FIRST_WAIT = 1.0
"""Seconds before the second attempt where the server names none; they double each time."""


class Partial:
    """What has come of an archive so far, and beside it which bytes on the server it is the beginning of."""

    def __init__(self, archive: Path) -> None:
        self.path = archive.with_suffix(".part")
        self._marker = archive.with_suffix(".part.json")

    @property
    def size(self) -> int:
        """The number of bytes that are here."""
        return self.path.stat().st_size if self.path.exists() else 0

    def begins(self, validator: str | None, size: int | None) -> bool:
        """Say whether what is here is the beginning of the archive that has this validator and size."""
        if validator is None or not self.path.exists():
            return False
        try:
            known = json.loads(self._marker.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return known == {"validator": validator, "size": size}

    def restart(self, validator: str | None, size: int | None) -> None:
        """Forget what is here; what is written next belongs to this validator and size."""
        self.path.unlink(missing_ok=True)
        write_json(self._marker, {"validator": validator, "size": size})

    def finish(self, archive: Path) -> None:
        """Make it the archive."""
        self.path.replace(archive)
        self._marker.unlink(missing_ok=True)


def download(client: Client, reference: Reference, archive: Path) -> None:
    """Bring the archive to the path `archive`; it is whole there or not there at all.

    Failures that may pass are waited out, as long as the server says and a bounded number of times; an
    attempt that brought at least a megabyte starts the count anew. Raises `UserError` for the rest.
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
    answer = client.open_archive(reference)
    validator, size = _identity(answer)
    if partial.begins(validator, size):
        assert validator is not None
        if partial.size == size:
            answer.close()
            return
        answer = client.open_rest(answer, partial.size, validator)
        if answer.status_code == 416:
            partial.restart(None, None)
            raise requests.ConnectionError("there is no such rest")
        answer.raise_for_status()
        if not _continues(answer, partial.size):
            # No ranges here, or another archive by now: the answer is the whole.
            validator, size = _identity(answer)
            partial.restart(validator, size)
    else:
        partial.restart(validator, size)
    _require_space(partial, size)
    _append(answer, partial, size, reference)


def _continues(answer: requests.Response, start: int) -> bool:
    return answer.status_code == 206 and _first_byte(answer) == start


def _first_byte(answer: requests.Response) -> int | None:
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _identity(answer: requests.Response) -> tuple[str | None, int | None]:
    """Give what names the archive's bytes, so that they can be gone on with, and how many there are, if it says so."""
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        return None, None
    length, etag = answer.headers.get("Content-Length", ""), answer.headers.get("ETag", "").strip()
    # A weak ETag does not vouch for the bytes.
    validator = (etag if not etag.startswith("W/") else None) or answer.headers.get("Last-Modified")
    return validator, int(length) if length.isdecimal() else None


def _require_space(partial: Partial, size: int | None) -> None:
    free = shutil.disk_usage(partial.path.parent).free
    if size is not None and size - partial.size > free:
        raise UserError(
            f"data.kaggle: the disk is too full: expected {(size - partial.size) / 1e6:,.0f} MB for the archive, but "
            f"{free / 1e6:,.0f} MB are free; free some and run again: the download goes on where it stopped"
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
