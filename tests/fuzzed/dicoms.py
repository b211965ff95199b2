"""DICOM files: damaged, and with elements that contradict their pixels; decoded as the stage `prepare` does."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pydicom
from data.images.fuzzing import dicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from medtransfer.data.images.decode import UnreadableImageError, decode
from medtransfer.data.images.dicom import read_elements
from medtransfer.util.errors import UserError

from .bytes_of import damaged

SIZES = (0, 1, 2, 7, 8, 9, 16, 17, 4096, 65535)
BITS = (0, 1, 7, 8, 10, 12, 16, 17, 24, 32, 64, 255)
KINDS = (
    "MONOCHROME1",
    "MONOCHROME2",
    "RGB",
    "YBR_FULL",
    "YBR_FULL_422",
    "YBR_ICT",
    "PALETTE COLOR",
    "ARGB",
    "",
    "x\\y",
)
SYNTAXES = (*pydicom.uid.AllTransferSyntaxes, "1.2.3", "", "1.2.840.10008.1.2.1.99")
TEXTS = ("", "x", "1\\2\\3", "é", "a\0b", "<script>", "9" * 300, "nan", "inf", "-1e308", "1e-320", "\x1b$B")


def _elements(random: Random) -> dict[str, Any]:
    """Return elements, few of them as they should be."""
    numbers = {name: random.choice(SIZES) for name in ("Rows", "Columns")}
    bits = {name: random.choice(BITS) for name in ("BitsAllocated", "BitsStored", "HighBit")}
    layout = {"SamplesPerPixel": random.choice((0, 1, 2, 3, 4, 99)), "PlanarConfiguration": random.choice((0, 1, 2))}
    signed = {
        "PixelRepresentation": random.choice((0, 1, 2)),
        "NumberOfFrames": random.choice((0, 1, 2, "x", 2**31 - 1)),
    }
    window = {
        "WindowCenter": random.choice((0, -1, "nan", [1, 2], "")),
        "WindowWidth": random.choice((0, 1, -5, "inf", [3, 4])),
    }
    scale = {
        "RescaleSlope": random.choice((0, -1, "1e308", "nan")),
        "RescaleIntercept": random.choice((0, "-inf", "x")),
    }
    other = {
        "PhotometricInterpretation": random.choice(KINDS),
        "PatientID": random.choice(TEXTS),
        "VOILUTFunction": "SIGMOID",
        "PixelData": random.choice((b"", bytes(63), bytes(65), bytes(128), bytes(256), random.randbytes(64))),
    }
    every = numbers | bits | layout | signed | window | scale | other | _tables(random)
    return {name: every[name] for name in random.sample(sorted(every), random.choice((0, 1, 1, 2, 3)))}


def _tables(random: Random) -> dict[str, Any]:
    item = Dataset()
    item.add_new(
        "LUTDescriptor", "US", random.choice(([256, 0, 8], [0, 0, 16], [1, 65535, 8], [256, 0, 0], [2], [256, 0, 99]))
    )
    item.add_new("LUTData", "OW", random.choice((b"", bytes(512), bytes(2), random.randbytes(512))))
    table = Sequence([item] if random.random() < 0.8 else [])
    parts = {"Descriptor": [256, 0, 16], "Data": bytes(random.choice((0, 9, 512)))}
    colours = ("Red", "Green", "Blue")
    palette = {f"{colour}PaletteColorLookupTable{part}": parts[part] for colour in colours for part in parts}
    return {"VOILUTSequence": table, "ModalityLUTSequence": table} | palette


def _nested(random: Random) -> bytes:
    """Return a file whose sequences are within each other, to any depth."""
    head, depth = dicom(np.zeros((8, 8), np.uint8)), random.choice((1, 50, 3000, 100_000))
    start = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    at = head.find(struct.pack("<HH", 0x0008, 0x0018))
    return head[:at] + start * depth + head[at:]


def write(folder: Path, random: Random) -> Path:
    """Write a DICOM file that contradicts itself or is damaged, or both."""
    pixels = np.frombuffer(random.randbytes(64), np.uint8).reshape(8, 8)
    with warnings.catch_warnings(action="ignore"):
        try:
            content = _nested(random) if random.random() < 0.05 else dicom(pixels, **_elements(random))
        except Exception:  # noqa: BLE001 - pydicom refuses to write some of them
            content = dicom(pixels)
    if random.random() < 0.3:  # another transfer syntax than that of the bytes
        syntax = str(random.choice(SYNTAXES)).encode()
        content = content.replace(b"1.2.840.10008.1.2.1\0", syntax[:20].ljust(20, b"\0"))
    if random.random() < 0.5:
        content = damaged(random, content)
    path = folder / f"scan{random.choice(('.dcm', '.dcm', '.png'))}"
    path.write_bytes(content)
    return path


def read(path: Path) -> None:
    """Decode an image: no row more or less than its header states, shown in 8 bits; and read who the patient is."""
    read_elements([path], "PatientID")
    try:
        found = decode(path, 16, "pad")
    except UnreadableImageError as error:
        raise UserError(str(error)) from error
    assert found.pixels.shape[:2] == (16, 16)
    assert found.pixels.dtype == np.uint8
    if not found.mode.startswith("DICOM"):
        return
    with warnings.catch_warnings(action="ignore"):
        stated = pydicom.dcmread(io.BytesIO(path.read_bytes()), force=True)
    assert (found.width, found.height) == (stated.Columns, stated.Rows)
    if not stated.file_meta.TransferSyntaxUID.is_compressed:
        samples = int(stated.SamplesPerPixel) if stated.PhotometricInterpretation != "YBR_FULL_422" else 2
        bytes_of = (found.width * found.height * samples * int(stated.BitsAllocated) + 7) // 8
        assert bytes_of <= len(stated.PixelData) < bytes_of + max(2, bytes_of // found.height)
