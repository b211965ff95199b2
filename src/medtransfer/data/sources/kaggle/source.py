"""A set from Kaggle, downloaded, compared with the record of its first download, and unpacked."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from medtransfer.data.sources import SOURCES
from medtransfer.data.sources.archive import BrokenArchiveError, unpack
from medtransfer.data.sources.kaggle.client import Client
from medtransfer.data.sources.kaggle.download import download
from medtransfer.data.sources.kaggle.failures import RESUMES
from medtransfer.data.sources.kaggle.reference import Reference, described
from medtransfer.study import Data, KaggleSource
from medtransfer.util.errors import UserError
from medtransfer.util.files import sha256_of_file, write_json
from medtransfer.util.places import repository, state_folder
from medtransfer.util.progress import notice

RECORD = "data/kaggle.lock.json"
"""The record of first downloads, in the repository.

It is neither an output of DVC, which is deleted before a stage runs and so could not be read back, nor a
dependency, which a stage may not write. Like `requirements.lock` it belongs in git: then the first download of a
colleague is compared with it too. An entry is keyed by reference and version, so experiments share the file.
"""

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@SOURCES.entry("kaggle")
def fetch_kaggle(folder: Path, data: Data, seed: int) -> dict[str, Any]:
    """Download the archive of the set to the state folder and unpack it to `folder`.

    The archive is deleted once it is unpacked. Its SHA-256 must be that of the params or, if they state
    none, that of the first download. Raises `UserError`, with one line that says what to do, for any failure; a later
    run resumes where this one stopped.
    """
    assert data.kaggle is not None
    source, reference = data.kaggle, Reference.of(data.kaggle)
    with _errors_in_one_line():
        archive = state_folder() / "downloads" / reference.file_name
        archive.parent.mkdir(parents=True, exist_ok=True)
        with _exclusive(archive.with_suffix(".lock")), Client() as client:
            digest = _obtain(client, reference, archive, source.sha256)
            _unpack(archive, folder, source, reference)
            known = _records().get(reference.key, {})
            about = described(client, reference) or {name: known.get(name) for name in ("licence", "citation")}
            entry = {"archive_sha256": digest, "archive_bytes": archive.stat().st_size, **about}
            _record(reference.key, entry)
            archive.unlink()
    where = {"source": "kaggle", "reference": reference.path, "version": reference.version, "url": reference.page}
    return where | entry | {"chosen": source.files}


def _obtain(client: Client, reference: Reference, archive: Path, stated: str | None) -> str:
    """Download the expected archive unless it is there already; return its SHA-256."""
    expected = stated or _records().get(reference.key, {}).get("archive_sha256")
    if not archive.exists() or (expected and sha256_of_file(archive) != expected):
        download(client, reference, archive)
    digest = sha256_of_file(archive)
    if expected in (None, digest):
        return digest
    # The archive is kept: once the params state its hash, it need not be downloaded again.
    origin = "data.kaggle.sha256" if stated else f"{RECORD}, from the first download"
    raise UserError(
        f"data.kaggle: {reference.label} has changed: expected sha256 {expected} ({origin}), but got {digest}; "
        f"if the new files are meant, set data.kaggle.sha256: {digest}"
    )


def _unpack(archive: Path, folder: Path, source: KaggleSource, reference: Reference) -> None:
    try:
        unpack(archive, folder, source.files)
    except BrokenArchiveError as error:
        archive.unlink()  # kept, it would fail each time
        raise UserError(
            f"data.kaggle: the archive of {reference.label} is not a readable zip ({error}); run again to download "
            "it again; if that does not help, take another version, or unpack the set and set data.source: folder"
        ) from None


def _record(key: str, entry: dict[str, Any]) -> None:
    """Write an entry, next to those that other runs write at the same time."""
    with FileLock(state_folder() / "kaggle.lock"):
        entries = _records()
        if entries.get(key) != entry:
            write_json(repository() / RECORD, dict(sorted((entries | {key: entry}).items())))


def _records() -> dict[str, dict[str, Any]]:
    try:
        entries = json.loads((repository() / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        entries = None
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise UserError(f"{RECORD}: expected JSON; restore it with `git checkout {RECORD}`")
    return entries


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Make other runs of the same download, such as queued experiments, wait for this one."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        notice("another run is downloading this set; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    """Turn an interruption and errors of the machine into one line."""
    try:
        yield
    except KeyboardInterrupt:
        raise UserError(f"data.kaggle: interrupted; run again: {RESUMES}") from None
    except OSError as error:
        if error.errno in DISK_FULL:
            raise UserError(f"data.kaggle: the disk is full; free some space and run again: {RESUMES}") from None
        place = error.filename or "a file"
        raise UserError(f"data.kaggle: cannot write {place} ({error.strerror}); fix that and run again") from None
