"""Damaged image files, drawn from a seed: such as sets collect over time, and worse."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
import pydicom
from PIL import Image

SUFFIXES = {"png": "png", "jpeg": "jpg", "gif": "gif", "bmp": "bmp", "webp": "webp", "tiff": "tif", "ppm": "ppm"}
MODES = ("L", "RGB", "RGBA", "P", "1", "CMYK", "I;16")
HUGE = (65535, 65500)


@dataclass(frozen=True)
class Fuzzed:
    """A file by its name and content, and whether it is sure to be unreadable (True), readable (False), or neither."""

    name: str
    content: bytes
    broken: bool | None


def originals(rng: np.random.Generator) -> dict[str, bytes]:
    """Encode one small image in every format, mode and packing that can hold it."""
    colours = rng.integers(0, 256, (20, 28, 3), dtype=np.uint8)
    found = {"dicom.dcm": dicom(colours[..., 0])}
    for mode in MODES:
        wide = Image.fromarray((colours[..., 0].astype(np.uint16) << 4) + 7)
        image = wide if mode == "I;16" else Image.fromarray(colours).convert(mode)
        for kind, suffix in SUFFIXES.items():
            buffer = io.BytesIO()
            try:
                image.save(buffer, kind, **({"compression": "tiff_lzw"} if kind == "tiff" and mode == "RGB" else {}))
            except (OSError, ValueError):
                continue  # this format has no such mode
            found[f"{mode.replace(';', '')}_{kind}.{suffix}"] = buffer.getvalue()
    return found


def fuzzed_files(count: int, seed: int) -> list[Fuzzed]:
    """Damage the originals in `count` ways; the names are unique and keep the damage's name."""
    rng = np.random.default_rng(seed)
    sources = list(originals(rng).items())
    damages = (truncated, flipped, other_suffix, zeroed, bomb, absurd_header, spliced)
    files = []
    for number in range(count):
        name, content = sources[rng.integers(len(sources))]
        damage = damages[number % len(damages)]
        suffix, changed, broken = damage(rng, name.rpartition(".")[2], content)
        stem = name.rpartition(".")[0]
        files.append(Fuzzed(f"{number:05}_{damage.__name__}_{stem}.{suffix}", changed, broken))
    return files


Damage = tuple[str, bytes, bool | None]


def truncated(rng: np.random.Generator, suffix: str, content: bytes) -> Damage:
    """Cut a file off; at less than a third of it there is no image left in any format."""
    length = int(rng.integers(0, len(content)))
    return suffix, content[:length], True if length < len(content) // 3 else None


def flipped(rng: np.random.Generator, suffix: str, content: bytes) -> Damage:
    """Flip one to twenty bits anywhere."""
    damaged = bytearray(content)
    for at in rng.integers(0, 8 * len(content), rng.integers(1, 21)):
        damaged[at // 8] ^= 1 << (at % 8)
    return suffix, bytes(damaged), None


def other_suffix(rng: np.random.Generator, suffix: str, content: bytes) -> Damage:
    """Change the suffix of a sound file to that of another format (still readable), or of text to that of an image."""
    if rng.random() < 0.5:
        return "jpg", b"patient,label\n1,cyst\n" * int(rng.integers(1, 40)), True
    others = [other for other in SUFFIXES.values() if other != suffix]
    return str(rng.choice(others)), content, False


def zeroed(rng: np.random.Generator, suffix: str, content: bytes) -> Damage:
    """Leave nothing, or only zeros, as a full disk and a broken download do."""
    return suffix, b"" if rng.random() < 0.5 else bytes(len(content)), True


def bomb(rng: np.random.Generator, suffix: str, content: bytes) -> Damage:
    """Claim four billion pixels in a few bytes, in another random format."""
    width, height = HUGE
    kind = rng.integers(6)
    if kind == 0:
        header = struct.pack(">IIBBBBB", width, height, 8, int(rng.choice([0, 2, 6])), 0, 0, 0)
        pixels = zlib.compress(bytes(1 << 16))
        return "png", b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels), True
    if kind == 1:
        header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
        return "bmp", b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header, True
    if kind == 2:
        return "gif", b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + b"," + bytes(9) + b"\x02\x00;", True
    if kind == 3:
        return "ppm", f"P6 {width} {height} 255\n".encode() + bytes(99), True
    if kind == 4:
        tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (279, 4, 4)]
        entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
        return "tif", b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4), True
    return "dcm", dicom(np.zeros((4, 4), np.uint8), Rows=width, Columns=height), True


def absurd_header(rng: np.random.Generator, suffix: str, content: bytes) -> Damage:
    """Overwrite up to eight bytes of the header by ones, zeros or noise: sizes, counts and offsets become absurd."""
    damaged = bytearray(content)
    at, length = int(rng.integers(0, min(len(content), 200))), int(rng.integers(1, 9))
    noise = [b"\xff" * length, bytes(length), rng.bytes(length)][rng.integers(3)]
    damaged[at : at + length] = noise
    return suffix, bytes(damaged), None


def spliced(rng: np.random.Generator, suffix: str, content: bytes) -> Damage:
    """Repeat or leave out a piece in the middle, or append noise."""
    start, end = sorted(int(at) for at in rng.integers(0, len(content), 2))
    kept = [content[:start] + content[end:], content[:end] + content[start:], content + rng.bytes(end - start)]
    return suffix, kept[rng.integers(3)], None


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def dicom(pixels: np.ndarray, **fields: float) -> bytes:
    """Encode grey pixels of 8 bits as a DICOM file; `fields` replace or add elements."""
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset = pydicom.dataset.Dataset()
    dataset.file_meta = meta
    shape = {"Rows": pixels.shape[0], "Columns": pixels.shape[1], "SamplesPerPixel": 1}
    kind = {"PhotometricInterpretation": "MONOCHROME2", "SOPClassUID": meta.MediaStorageSOPClassUID}
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0, "SOPInstanceUID": "1.2.3"}
    window = {"WindowCenter": 100, "WindowWidth": 150, "PixelData": pixels.tobytes()}
    for name, value in (shape | kind | bits | window | fields).items():
        setattr(dataset, name, value)
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
