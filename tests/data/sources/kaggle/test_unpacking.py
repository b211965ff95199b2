"""Malicious archives write nothing."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from medtransfer.data.sources import archive as unpacking

from .fetching import failure, fetched
from .kaggle_server import KaggleServer, zipped


def member(name: str, mode: int = 0, content: bytes = b"x") -> Callable[[zipfile.ZipFile], None]:
    def write(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        info.external_attr = mode << 16
        archive.writestr(info, content)

    return write


def with_header(field: str, value: int) -> Callable[[zipfile.ZipFile], None]:
    """Return a function that writes a file of which the directory of the archive states `value`."""

    def write(archive: zipfile.ZipFile) -> None:
        member("one.png")(archive)
        setattr(archive.filelist[0], field, value)

    return write


def bomb(archive: zipfile.ZipFile) -> None:
    archive.writestr("zeros.png", bytes(20_000_000), zipfile.ZIP_DEFLATED)


UNSAFE = {
    "above": (member("../escaped.png"), "outside"),
    "far above": (member("a/../../../escaped.png"), "outside"),
    "absolute": (member("/tmp/escaped.png"), "outside"),
    "backslashes": (member("..\\escaped.png"), "outside"),
    "drive": (member("C:\\escaped.png"), "outside"),
    "link": (member("link", stat.S_IFLNK | 0o777, b"/etc/passwd"), "a link"),
    "device": (member("pipe", stat.S_IFIFO | 0o666), "a link or a device"),
    "line break": (member("a\nb.png"), "not a plain path"),
    "deep": (member("a/" * 1000 + "one.png"), "in more than 100 folders"),
    "long path": (member("/".join(["a" * 200] * 5)), "a path of more than 900"),
    "long": (member("é" * 128 + ".png"), "a name of more than 255 bytes"),
    "encrypted": (with_header("flag_bits", 1), "it is encrypted"),
    "Deflate64": (with_header("compress_type", 9), "its compression, number 9, is not supported"),
    "bomb": (bomb, "possible zip bomb"),
    "file and folder": (lambda archive: [member("a")(archive), member("a/b")(archive)], "a file and a folder"),
    "twice": (lambda archive: [member("a/b")(archive), member("a\\b")(archive)], "two files of the same name"),
    "nothing": (lambda archive: None, "has no files"),
}


@pytest.mark.parametrize(("write", "expected"), UNSAFE.values(), ids=UNSAFE)
def test_an_unsafe_archive_writes_nothing(
    server: KaggleServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[zipfile.ZipFile], None],
    expected: str,
) -> None:
    monkeypatch.setattr(unpacking, "HARMLESS_BYTES", 1_000_000)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        write(archive)
    server.archive = packed.getvalue()
    assert expected in failure()
    assert list(tmp_path.rglob("escaped*")) == []
    (kept,) = tmp_path.rglob("downloads/*.zip")  # a new download would be refused, too
    assert kept.read_bytes() == packed.getvalue()


def test_an_unsafe_file_may_be_left_out(server: KaggleServer) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        member("../escaped.png")(archive)
        member("good.csv")(archive)
    server.archive = packed.getvalue()
    assert fetched(files=["*.csv"])["files"] == 1


def test_a_file_that_is_larger_than_stated_is_an_error(server: KaggleServer) -> None:
    packed = zipped({"one.png": bytes(5_000_000)})
    server.archive = packed.replace((5_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert "not a readable zip" in failure()


@pytest.mark.parametrize(("limit", "value"), [("MOST_FILES", 2), ("MOST_BYTES", 100)])
def test_too_many_files_or_bytes(monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(unpacking, limit, value)
    assert "more than the limits" in failure()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_file_of_any_compression_is_one_line(server: KaggleServer, method: int) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("one.png", bytes(range(256)) * 40)
    start = packed.getvalue().index(b"one.png") + 20
    server.archive = packed.getvalue()[:start] + bytes(16) + packed.getvalue()[start + 16 :]
    assert "not a readable zip" in failure()


@pytest.mark.parametrize(("field", "value"), [("file_size", 99), ("header_offset", (1 << 32) - 2)])
def test_a_directory_that_lies_is_one_line(server: KaggleServer, field: str, value: int) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        with_header(field, value)(archive)
    server.archive = packed.getvalue()
    assert "not a readable zip" in failure()
