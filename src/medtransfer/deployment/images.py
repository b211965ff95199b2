"""Images of the user's own, read side by side while the network computes, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medtransfer.dataset.decode import UnreadableImageError, read_pixels
from medtransfer.errors import UserError
from medtransfer.layouts.files import images_below
from medtransfer.progress import in_threads


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


class ImageBatches:
    """Batches of at most `size` readable images of `files`, brought to what a model's card asks for.

    `unreadable` holds a line for each file that was passed over so far. A few hundred images are in memory
    at a time, however many files there are.
    """

    def __init__(self, files: Sequence[Path], card: dict[str, Any], size: int) -> None:
        self._files, self._card, self._size = files, card, size
        self.unreadable: list[str] = []

    def __iter__(self) -> Iterator[tuple[list[Path], np.ndarray]]:
        """Give the files of a batch and their pixels, uint8 [n, size, size, channels]."""
        batch: list[tuple[Path, np.ndarray]] = []
        for file, found in zip(self._files, in_threads(self._read, self._files, "predict", "image"), strict=True):
            if isinstance(found, UnreadableImageError):
                self.unreadable.append(f"{file}: unreadable: {str(found).split(': ', 1)[-1]}")
                continue
            batch.append((file, found))
            if len(batch) == self._size:
                yield _stacked(batch)
                batch = []
        if batch:
            yield _stacked(batch)

    def _read(self, file: Path) -> np.ndarray | UnreadableImageError:
        try:
            return read_pixels(file, self._card["image_size"], self._card["resize"], self._card["channels"])
        except UnreadableImageError as error:
            return error


def _stacked(batch: list[tuple[Path, np.ndarray]]) -> tuple[list[Path], np.ndarray]:
    return [file for file, _ in batch], np.stack([pixels for _, pixels in batch])
