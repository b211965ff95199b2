"""Files of a set that may hold images or annotations, but are not read."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from glob import escape
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

from medtransfer.data.layouts.evidence import Evidence
from medtransfer.data.layouts.files import IMAGE_SUFFIXES, is_junk
from medtransfer.util.text import counted

NOT_READ = {
    ".nii.gz": "NIfTI volume",
    ".nii": "NIfTI volume",
    ".mha": "MetaImage volume",
    ".mhd": "MetaImage volume",
    ".nrrd": "NRRD volume",
    ".npy": "NumPy array",
    ".npz": "NumPy archive",
    ".mat": "MATLAB file",
    ".h5": "HDF5 file",
    ".hdf5": "HDF5 file",
    ".svs": "whole-slide image",
    ".ndpi": "whole-slide image",
    ".mrxs": "whole-slide image",
    ".heic": "HEIC image",
    ".tfrec": "TFRecord file",
    ".tfrecord": "TFRecord file",
    ".avi": "video",
    ".mp4": "video",
    ".zip": "archive",
    ".tar": "archive",
    ".tar.gz": "archive",
    ".7z": "archive",
    ".rar": "archive",
}
"""Files that may hold images, by their extension; an archive has to be unpacked, the images of others saved as PNG."""
HEAD = 1 << 20
MARKS = {
    ".json": re.compile(rb'"(?:annotations|shapes|regions|_via_img_metadata)"\s*:'),
    ".xml": re.compile(rb"<annotation|<object>|<coordinate"),
    ".txt": re.compile(rb"\A\s*(?:\d+(?: [01]?\.\d+){4,}\s*)+\Z"),
    ".csv": re.compile(rb"\A[^\n]*(?:encodedpixels|rle)", re.IGNORECASE),
}
"""What a file of boxes or outlines has in its beginning: COCO, LabelMe and VIA, VOC, run lengths, and all of YOLO's."""
MOST_OPENED = 20


def other_kinds(files: Iterable[PurePosixPath]) -> list[str]:
    """Count the files that may hold images but are not read, by what they are: `12 NIfTI volumes (.nii.gz)`."""
    kinds = Counter(suffix for file in files if (suffix := _not_read(file)))
    return [f"{counted(number, NOT_READ[suffix])} ({suffix})" for suffix, number in sorted(kinds.items())]


def boxes_and_outlines(base: Path, files: Sequence[PurePosixPath]) -> str:
    """Return a sentence about files of boxes or outlines, and what to make of them; "" if there are none."""
    for suffix, mark in MARKS.items():
        found = [file for file in files if file.suffix.lower() == suffix]
        opened = found[:: -(-len(found) // MOST_OPENED) or 1]
        if telling := [file for file in opened if mark.search(_beginning(base / file))]:
            verb = "has" if len(found) == 1 else "have"
            return (
                f"{counted(len(found), f'{suffix} file')}, such as {telling[0]}, {verb} "
                "boxes or outlines of objects, which are not read: write the class of each image in a CSV, or its "
                "mask in a PNG of its name"
            )
    return ""


def unread_images(evidence: Evidence) -> Iterator[str]:
    """Find files next to the images, and archives, that may hold images, too, but are not read."""
    folders = {path.parent for path, _ in evidence.rows}
    read = frozenset(evidence.reading.layout.files)
    others = [file for file in evidence.files if _not_read(file) and str(file) not in read]
    near = [file for file in others if file.parent in folders]
    if near:
        yield f"next to the images are {', '.join(other_kinds(near))}, which are not read, such as {near[0]}"
    names = {path.name for path, _ in evidence.rows}
    for file in others:
        if file not in near and (packed := _images_in(evidence.base / file) - names):
            leaving = json.dumps([escape(str(PurePosixPath(evidence.start) / file))], ensure_ascii=False)
            yield (
                f"{file} holds {counted(len(packed), 'image')} that are not read; unpack it, or leave it out: "
                f"data.files: {{exclude: {leaving}}}"
            )


def _not_read(file: PurePosixPath) -> str | None:
    name = file.name.lower()
    return next((suffix for suffix in NOT_READ if name.endswith(suffix)), None)


def _images_in(archive: Path) -> set[str]:
    """Return the names of the images in a zip archive; none if it is of another kind or damaged."""
    if archive.suffix.lower() != ".zip":
        return set()
    try:
        with ZipFile(archive) as file:
            paths = map(PurePosixPath, file.namelist())
            return {path.name for path in paths if path.suffix.lower() in IMAGE_SUFFIXES and not is_junk(path)}
    except (OSError, BadZipFile, ValueError):
        return set()


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""
