"""Zip archives: damaged, with directories that lie, and with hostile names; unpacked as the stage `download` does."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from zlib import crc32

from medtransfer.data.sources.archive import BrokenArchiveError, unpack
from medtransfer.util.errors import UserError

from .bytes_of import EXTREMES, damaged

NAMES = (
    "../escaped", "a/../../escaped", "/tmp/escaped", "C:\\escaped", "..\\escaped", "\\\\server\\escaped", "a\0b",
    "a\nb", "a//b",
     "./a", "a/.", "a" * 300, "a/" * 150 + "b", ("b" * 200 + "/") * 40 + "c", "é.png", "\udce9.png", "CON",
    "aux.png", " ", "",
    "a", "a/b", "A", "a/", "\u202egpj.exe", "~/x", "$(x)", "-rf", "*", ".", "..", "\x1b[2J", "a:b", "label.csv",
)  # fmt: skip
LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
FIELDS = {LOCAL: [(4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)],
          CENTRAL: [(6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2),
                    (34, 2), (38, 4), (42, 4)],
          END: [(4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)]}  # fmt: skip
"""Offsets and sizes of the numbers of each header."""
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
MODES = (0, 0, 0, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFDIR, stat.S_IFREG | stat.S_ISUID)


def _archive(random: Random) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(random.choice((0, 1, 2, 3, 5, 40))):
            info = zipfile.ZipInfo("placeholder")
            info.filename = random.choice(NAMES) if random.random() < 0.2 else f"images/{number}.png"
            info.filename = info.filename.encode("utf-8", "replace").decode()
            info.external_attr = random.choice(MODES) << 16 if random.random() < 0.2 else 0
            content = random.choice((b"", b"x" * 99, random.randbytes(500), bytes(100_000), b"PK\x05\x06" + bytes(18)))
            archive.writestr(info, content, random.choice(METHODS))
        archive.comment = random.choice((b"", b"", b"PK\x05\x06" * 5, random.randbytes(30)))
    return buffer.getvalue()


def _lying(random: Random, content: bytes) -> bytes:
    """Change numbers in the headers: sizes, CRCs, methods, flags, offsets, counts."""
    lying = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 5))):
        mark = random.choice((LOCAL, CENTRAL, END))
        places = [at for at in range(len(lying)) if lying.startswith(mark, at)]
        if not places:
            continue
        offset, size = random.choice(FIELDS[mark])
        place = random.choice(places) + offset
        old = int.from_bytes(lying[place : place + size], "little")
        new = random.choice((*EXTREMES, old + 1, max(0, old - 1), old * 2, old ^ 1, old ^ 0x800, 9, 12, 14, 99))
        lying[place : place + size] = struct.pack("<Q", new % (1 << 64))[:size]
    return bytes(lying)


def _renamed(random: Random, content: bytes) -> bytes:
    """Change a name in the directory, in the file's own header, or in both, to another of its length."""
    old = b"images/0.png"
    new = random.choice(
        (
            b"../../ab.png",
            b"/tmp/abc.png",
            b"images/\0.png",
            b"images/\xff.png",
            b"images/1.png",
            b"images\\0.png",
            b"C:\\abcd.png",
            b"a\nb\x1b/.././x",
        )
    )
    return content.replace(old, new[:12].ljust(12, b"x"), random.choice((1, 2)))


def write(folder: Path, random: Random) -> Path:
    """Write an archive that is hostile or damaged, or both."""
    content = _archive(random)
    changes: tuple[Callable[[Random, bytes], bytes], ...] = (_lying, _lying, _renamed, damaged, damaged)
    for _ in range(random.choice((0, 1, 1, 1, 2))):
        content = random.choice(changes)(random, content)
    (folder / "downloads").mkdir()
    path = folder / "downloads" / "set.zip"
    path.write_bytes(content)
    return path


def read(path: Path) -> None:
    """Unpack an archive: all in its folder and, unless it fails midway, by its directory; a refusal writes nothing."""
    target = path.parents[1] / "raw"
    target.mkdir()
    try:
        unpack(path, target)
    except UserError:
        assert not list(target.iterdir())
        raise
    except BrokenArchiveError as error:
        raise UserError(str(error)) from error
    finally:
        assert {found.name for found in path.parents[1].iterdir()} == {"downloads", "raw"}
        assert all(found.is_dir() or (found.is_file() and not found.is_symlink()) for found in target.rglob("*"))
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.filename.endswith(("/", "\\"))]
    assert sum(found.is_file() for found in target.rglob("*")) == len(members)
    for member in members:
        content = (target / member.filename.replace("\\", "/")).read_bytes()
        assert (len(content), crc32(content)) == (member.file_size, member.CRC)
