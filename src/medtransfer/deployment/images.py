"""Images of the user's own, read side by side while the network computes, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medtransfer.data.images.decode import UnreadableImageError, read_pixels
from medtransfer.data.layouts.files import images_below
from medtransfer.util.errors import UserError
from medtransfer.util.progress import in_threads


def find_images(places: Sequence[Path]) -> list[Path]:
    """List the files that are named, and the image files below the folders that are named, in that order.

    Raises `UserError` for places that do not exist and for folders without images.
    """
    files, problems = [], []
    for place in places:
        if place.is_dir():
            below = images_below(place)
            problems += [] if below else [f"{place}: expected images, but the folder has none"]
            files += below
        elif place.exists():
            files.append(place)
        else:
            problems.append(f"{place}: no such file or folder")
    if problems:
        raise UserError(problems)
    return files


@dataclass(frozen=True)
class ImageBatch:
    """Images of a batch: their files, their own widths and heights, and pixels uint8 [n, size, size, channels]."""

    files: list[Path]
    sizes: list[tuple[int, int]]
    pixels: np.ndarray


class ImageBatches:
    """Batches of at most `size` readable images of `files`, brought to what a model's card asks for.

    `unreadable` holds a line for each file that was passed over so far. A few hundred images are in memory
    at a time, however many files there are.
    """

    def __init__(self, files: Sequence[Path], card: dict[str, Any], size: int) -> None:
        self._files, self._card, self._size = files, card, size
        self.unreadable: list[str] = []

    def __iter__(self) -> Iterator[ImageBatch]:
        """Give the batches, in the order of the files."""
        batch: list[tuple[Path, tuple[np.ndarray, tuple[int, int]]]] = []
        for file, found in zip(self._files, in_threads(self._read, self._files, "predict", "image"), strict=True):
            if isinstance(found, UnreadableImageError):
                self.unreadable.append(f"{file}: unreadable: {str(found).split(': ', 1)[-1]}")
                continue
            batch.append((file, found))
            if len(batch) == self._size:
                yield _batch(batch)
                batch = []
        if batch:
            yield _batch(batch)

    def _read(self, file: Path) -> tuple[np.ndarray, tuple[int, int]] | UnreadableImageError:
        try:
            return read_pixels(file, self._card["image_size"], self._card["resize"], self._card["channels"])
        except UnreadableImageError as error:
            return error


def _batch(read: list[tuple[Path, tuple[np.ndarray, tuple[int, int]]]]) -> ImageBatch:
    files, found = zip(*read, strict=True)
    pixels, sizes = zip(*found, strict=True)
    return ImageBatch(list(files), list(sizes), np.stack(pixels))
