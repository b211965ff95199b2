"""The images to predict, read in parallel while the network computes, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from medtransfer.data.images.decode import UnreadableImageError, read_pixels
from medtransfer.data.layouts.files import images_below
from medtransfer.util.errors import UserError
from medtransfer.util.progress import in_threads


def find_images(paths: Sequence[Path]) -> list[Path]:
    """List the files given, and the image files below the folders given, in order.

    Raises `UserError` for paths that do not exist and folders without images.
    """
    files, problems = [], []
    for path in paths:
        if path.is_dir():
            below = images_below(path)
            problems += [] if below else [f"{path}: no images in this folder"]
            files += below
        elif path.exists():
            files.append(path)
        else:
            problems.append(f"{path}: no such file or folder")
    if problems:
        raise UserError(problems)
    return files


@dataclass(frozen=True)
class ImageBatch:
    """A batch of images: their files, their original (width, height), and pixels uint8 [n, size, size, channels]."""

    files: list[Path]
    sizes: list[tuple[int, int]]
    pixels: np.ndarray


class ImageBatches:
    """Batches of at most `size` readable images of `files`, preprocessed as a model's card says.

    `unreadable` has a line for each file skipped so far. A few hundred images are in memory at a time, however many
    files there are.
    """

    def __init__(self, files: Sequence[Path], card: dict[str, Any], size: int) -> None:
        self._files, self._card, self._size = files, card, size
        self.unreadable: list[str] = []

    def __iter__(self) -> Iterator[ImageBatch]:
        """Yield the batches, in the order of the files."""
        readable = self._readable()
        while found := list(islice(readable, self._size)):
            files, pixels, sizes = zip(*found, strict=True)
            yield ImageBatch(list(files), list(sizes), np.stack(pixels))

    def _readable(self) -> Iterator[tuple[Path, np.ndarray, tuple[int, int]]]:
        for file, found in zip(self._files, in_threads(self._read, self._files, "predict", "image"), strict=True):
            if isinstance(found, UnreadableImageError):
                self.unreadable.append(f"{file}: unreadable: {str(found).split(': ', 1)[-1]}")
            else:
                yield file, *found

    def _read(self, file: Path) -> tuple[np.ndarray, tuple[int, int]] | UnreadableImageError:
        try:
            return read_pixels(file, self._card["image_size"], self._card["resize"], self._card["channels"])
        except UnreadableImageError as error:
            return error
