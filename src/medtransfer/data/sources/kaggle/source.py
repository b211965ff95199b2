"""What was downloaded once: `data/kaggle.lock.json`, which git keeps and every later download is held against; A set from Kaggle, from its name in the params to its files in a folder."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from medtransfer.data.sources.archive import BrokenArchiveError, unpack
from medtransfer.data.sources.kaggle.client import Client, Reference
from medtransfer.data.sources.kaggle.download import download
from medtransfer.data.sources.kaggle.failures import described
from medtransfer.study import KaggleSource
from medtransfer.util.errors import UserError
from medtransfer.util.files import sha256_of_file, write_json
from medtransfer.util.places import repository, state_folder
from medtransfer.util.progress import notice

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


DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def fetch_kaggle(source: KaggleSource, folder: Path) -> dict[str, Any]:
    """Unpack the set's archive into the existing folder `folder`; give what a manifest says about it.

    The archive is downloaded to the state folder, and goes from there once it is unpacked. Its SHA-256 must
    be that of the params or, where they give none, that of the first download. Raises `UserError`, with one
    line that says what to do, for whatever goes wrong; a later run goes on where this one stopped.
    """
    reference = Reference.of(source)
    with _told():
        archive = state_folder() / "downloads" / reference.file_name
        archive.parent.mkdir(parents=True, exist_ok=True)
        with _alone(archive.with_suffix(".lock")), Client() as client:
            digest = _obtain(client, reference, archive, source.sha256)
            _unpack(archive, folder, source, reference)
            known = recorded(reference.key) or {}
            about = described(client, reference) or {name: known.get(name) for name in ("licence", "citation")}
            entry = {"archive_sha256": digest, "archive_bytes": archive.stat().st_size, **about}
            record(reference.key, entry)
            archive.unlink()
    where = {"source": "kaggle", "reference": reference.path, "version": reference.version, "url": reference.page}
    return where | entry | {"chosen": source.files}


def _obtain(client: Client, reference: Reference, archive: Path, stated: str | None) -> str:
    """Have the expected archive at its place, a kept one if it is the right one; give its SHA-256."""
    known = recorded(reference.key)
    expected = stated or (known.get("archive_sha256") if known else None)
    if archive.exists():
        digest = sha256_of_file(archive)
        if expected in (None, digest):
            return digest
    download(client, reference, archive)
    digest = sha256_of_file(archive)
    if expected in (None, digest):
        return digest
    # The archive stays: once the params name its hash, it need not come again.
    origin = "data.kaggle.sha256" if stated else f"{RECORD}, from the first download"
    raise UserError(
        f"data.kaggle: {reference.label} is not what it was: expected sha256 {expected} ({origin}), but got {digest}; "
        f"if the new files are meant, set data.kaggle.sha256: {digest}"
    )


def _unpack(archive: Path, folder: Path, source: KaggleSource, reference: Reference) -> None:
    try:
        unpack(archive, folder, source.files)
    except BrokenArchiveError as error:
        # Kept, it would fail again for ever; only a new download can mend it.
        archive.unlink()
        raise UserError(
            f"data.kaggle: the archive of {reference.label} is no readable zip ({error}); run again to download "
            "it anew; if that does not help, take another version, or unpack the set and set data.source: folder"
        ) from None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let other runs of the same download, as of queued experiments, wait for this one."""
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
def _told() -> Iterator[None]:
    """Turn what the machine and its user can do to a download into one line."""
    try:
        yield
    except KeyboardInterrupt:
        raise UserError("data.kaggle: interrupted; run again: the download goes on where it stopped") from None
    except OSError as error:
        if error.errno in DISK_FULL:
            raise UserError(
                "data.kaggle: the disk is full; free some space and run again: the download goes on where it stopped"
            ) from None
        place = error.filename or "a file"
        raise UserError(f"data.kaggle: cannot write {place} ({error.strerror}); mend that and run again") from None
