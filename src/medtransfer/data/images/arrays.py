"""Images that are rows of an array in a NumPy archive, as MedMNIST publishes them: `FILE.npz#train0`."""

from __future__ import annotations

import re
import tempfile
import zipfile
from functools import lru_cache
from pathlib import Path
from shutil import copyfileobj
from threading import Lock
from typing import IO

import numpy as np
from PIL import Image

from medtransfer.data.images.raster import eight_bits, require_bounded

ROW = re.compile(r"(?P<file>.+\.npz)#(?P<split>[a-z]+)(?P<row>\d+)", re.IGNORECASE)
IMAGES, LABELS = "{}_images", "{}_labels"
"""The names of the arrays of a split."""
_lock = Lock()


def row_path(file: str, split: str, row: int) -> str:
    """Return the path by which a row of the images of a split stands for an image file."""
    return f"{file}#{split}{row}"


def is_row(path: Path) -> bool:
    """Return whether a path names a row of an array."""
    return ROW.fullmatch(str(path)) is not None


def read_row(path: Path) -> tuple[Image.Image, str]:
    """Read a row of an array as `L` or `RGB`; return it and its type. Raises `ValueError` for other shapes."""
    found = ROW.fullmatch(str(path))
    assert found is not None
    with _lock:
        array = open_array(Path(found["file"]), IMAGES.format(found["split"]))
    values = np.asarray(array[int(found["row"])])
    require_bounded(values.shape[1], values.shape[0])
    if values.ndim == 2:
        return Image.fromarray(eight_bits(values) if values.dtype != np.uint8 else values), f"array {values.dtype}"
    if values.dtype != np.uint8 or values.ndim != 3 or values.shape[2] != 3:
        raise ValueError(f"an array of shape {values.shape} and type {values.dtype}; expected grey or RGB of 8 bits")
    return Image.fromarray(values), f"array RGB {values.dtype}"


@lru_cache(maxsize=8)
def open_array(file: Path, name: str) -> np.ndarray:
    """Map an array of an archive into memory, through an unnamed temporary file, so that it may be larger than that."""
    with zipfile.ZipFile(file) as archive, archive.open(f"{name}.npy") as member:
        unpacked = tempfile.TemporaryFile()  # noqa: SIM115 - the map keeps it
        copyfileobj(member, unpacked, 1 << 20)
    unpacked.seek(0)
    shape, fortran, dtype = _header(unpacked)
    return np.memmap(unpacked, dtype, "r", unpacked.tell(), shape, "F" if fortran else "C")


def array_headers(file: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Return shape and type of each array of an archive, by name, without reading it. Raises `ValueError`."""
    found = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                if name.endswith(".npy"):
                    with archive.open(name) as member:
                        shape, _, dtype = _header(member)
                    found[name.removesuffix(".npy")] = (shape, dtype)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise ValueError(f"not a NumPy archive: {error}") from error
    return found


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("an array of Python objects, which is not safe to read")
    return shape, fortran, dtype
