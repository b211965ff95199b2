"""Unpacking a zip archive that is not trusted."""

from __future__ import annotations

import errno
import fnmatch
import lzma
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from medtransfer.util.errors import UserError, near
from medtransfer.util.progress import progress
from medtransfer.util.text import UNSHOWN

MOST_FILES = 2_000_000
MOST_BYTES = 1 << 40
MOST_RATIO = 200
"""Unpacked bytes per byte of the archive: images and tables stay far below, a zip bomb does not."""
HARMLESS_BYTES = 1 << 28
"""Unpacked bytes that may be packed at any ratio, as empty masks are."""
DEEPEST = 100
"""Most folders within each other; more would exceed the longest path of some systems."""
LONGEST = 255
"""Most bytes of the name of a file or folder, on all common file systems."""
LONGEST_PATH = 900
"""Most bytes of a path in the archive: some systems allow 1,024 with the folder of the study."""
ENCRYPTED = 0x1
COMPRESSIONS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
CHUNK = 1 << 20
UNREADABLE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError, RuntimeError,
    ValueError,
)  # fmt: skip
"""Errors of the standard library for damaged archives."""
OF_THE_ARCHIVE = (None, errno.EINVAL)
"""Numbers of an `OSError` that says nothing about the disk: bzip2 has none, and an offset may be before the start."""


class BrokenArchiveError(Exception):
    """The archive is not a zip file, or a damaged one."""


def unpack(archive: Path, folder: Path, chosen: Sequence[str] | None = None) -> None:
    """Write the files of the archive, or those that match a pattern of `chosen`, to the existing folder `folder`.

    In a pattern `*` stands for anything, folders included. Raises `UserError`, before anything is written,
    if a chosen file is a link, is encrypted, cannot be written or would be outside of `folder`, if two are the same, or
    if they are too many or too large; and `BrokenArchiveError` for an archive that cannot be read. No file becomes
    larger than the directory of the archive states, so the limits hold for what is written too.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            files = [member for member in file.infolist() if not member.filename.endswith(("/", "\\"))]
            members = {member.filename.replace("\\", "/"): member for member in files}
            if len(members) < len(files):
                raise UserError(f"{archive.name}: two files of the same name in one archive; which one is meant?")
            members = _chosen(members, chosen)
            _require_safe(members, archive, folder)
            _write(file, members, folder)
    except (*UNREADABLE, OSError) as error:
        if isinstance(error, OSError) and error.errno not in OF_THE_ARCHIVE:
            raise
        raise BrokenArchiveError(" ".join(str(error).split())[:100] or type(error).__name__) from None


def _chosen(members: dict[str, zipfile.ZipInfo], patterns: Sequence[str] | None) -> dict[str, zipfile.ZipInfo]:
    if patterns is None:
        return members
    names: set[str] = set()
    for pattern in patterns:
        matched = fnmatch.filter(members, pattern)
        if not matched:
            raise UserError(f"data.kaggle.files: no file of the set matches {pattern!r}{near(pattern, members)}")
        names |= set(matched)
    return {name: member for name, member in members.items() if name in names}


def _require_safe(members: dict[str, zipfile.ZipInfo], archive: Path, folder: Path) -> None:
    total, packed = sum(member.file_size for member in members.values()), archive.stat().st_size
    free = shutil.disk_usage(folder).free
    remedy = "choose files by data.kaggle.files, or unpack those that you trust and set data.source: folder"
    if not members:
        raise UserError(f"{archive.name}: the archive has no files; take another version or set")
    for name, member in members.items():
        if problem := _problem(name, member):
            raise UserError(f"{archive.name}: unsuitable file {name[:200]!r}: {problem}; {remedy}")
    folders = {str(parent) for name in members for parent in PurePosixPath(name).parents}
    if both := folders & members.keys():
        raise UserError(f"{archive.name}: {min(both)!r} is a file and a folder; {remedy}")
    if len(members) > MOST_FILES or total > MOST_BYTES or total > max(MOST_RATIO * packed, HARMLESS_BYTES):
        raise UserError(
            f"{archive.name}: possible zip bomb: {len(members):,} files of {total / 1e6:,.0f} MB in an archive of "
            f"{packed / 1e6:,.3f} MB are more than the limits ({MOST_FILES:,} files, {MOST_RATIO} times); {remedy}"
        )
    if total > free:
        raise UserError(
            f"data.kaggle: the disk is too full: expected {total / 1e6:,.0f} MB for the unpacked files, but "
            f"{free / 1e6:,.0f} MB are free; free some and run again: the archive is kept"
        )


def _problem(name: str, member: zipfile.ZipInfo) -> str | None:
    """Return why a file should not be written, by its name or by its entry in the directory of the archive."""
    parts = name.split("/")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in parts:
        return "it would be outside of the folder of the set"
    if "" in parts or "." in parts or UNSHOWN.search(name):
        return "its name is not a plain path"
    if len(parts) > DEEPEST or max(len(part.encode()) for part in parts) > LONGEST or len(name.encode()) > LONGEST_PATH:
        return (
            f"it is in more than {DEEPEST} folders, or has a name of more than {LONGEST} bytes or a path of more than "
            f"{LONGEST_PATH}"
        )
    return _problem_of_entry(member)


def _problem_of_entry(member: zipfile.ZipInfo) -> str | None:
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
        return "it is a link or a device, expected a plain file"
    if member.flag_bits & ENCRYPTED:
        return "it is encrypted"
    if member.compress_type not in COMPRESSIONS:
        return f"its compression, number {member.compress_type}, is not supported"
    return None


def _write(file: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], folder: Path) -> None:
    bar: Any
    with progress(sum(member.file_size for member in members.values()), "unpack", "B") as bar:
        for name, member in members.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with file.open(member) as source, target.open("xb") as out:
                while chunk := source.read(CHUNK):
                    out.write(chunk)
                    bar.update(len(chunk))
                if out.tell() != member.file_size:
                    raise BrokenArchiveError(f"{name[:LONGEST]!r} has {out.tell():,} of {member.file_size:,} bytes")
