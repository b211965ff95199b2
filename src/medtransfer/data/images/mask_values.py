"""The values of masks, and the `data.masks` that gives each of them a class: a remedy ready to paste."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np

from medtransfer.data.images.decode import UnreadableImageError, unreadable_if_damaged
from medtransfer.data.images.decode_masks import LEAST_OF_A_CLASS, LOSSY, SQUARE, values_of
from medtransfer.data.images.raster import open_raster

MOST_CLASSES = 12
WHITE = 255


def classes_of_values(paths: Iterable[Path]) -> str | None:
    """Return the `data.masks.classes` with a class for each value of some masks, or None if there are too many.

    Values of a few pixels, as at smoothed edges, do not count, nor those of damaged files or of lossy compression.
    """
    found: set[int | str] = set()
    for path in paths:
        with suppress(UnreadableImageError), unreadable_if_damaged(path):
            if path.suffix.lower() not in LOSSY:
                found |= _frequent(values_of(open_raster(path, "mask")[0], None))
    if any(isinstance(value, str) for value in found):
        found = {value if isinstance(value, str) else f"#{value:02x}{value:02x}{value:02x}" for value in found}
    if not 0 < len(found) <= MOST_CLASSES:
        return None
    values = sorted(found, key=str) if str in map(type, found) else sorted(found, key=int)
    if len(values) > 1 and values[-1] == WHITE:
        return (
            f"{_as_yaml(values)}; or, if {WHITE} is to be ignored: {_as_yaml(values[:-1])} and "
            f"data.masks.ignore: {WHITE}"
        )
    return _as_yaml(values)


def _frequent(values: np.ndarray) -> set[int | str]:
    if values.ndim == 3:
        values = values.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
        return {f"#{value:06x}" for value in _frequent_numbers(values)}
    return set(_frequent_numbers(values))


def _frequent_numbers(values: np.ndarray) -> list[int]:
    numbers, counts = np.unique(values, return_counts=True)
    least = max(SQUARE**2, LEAST_OF_A_CLASS[1] * np.count_nonzero(values))
    return [int(number) for number, count in zip(numbers, counts, strict=True) if number and count >= least]


def _as_yaml(values: list[int | str]) -> str:
    if len(values) == 1:
        pairs = f"foreground: {values[0]!r}"
    else:
        pairs = ", ".join(f"class_{str(value).removeprefix('#')}: {value!r}" for value in values)
    return f"data.masks.classes: {{{pairs}}}"
