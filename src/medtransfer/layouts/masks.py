"""Masks that stand beside images: recognised, so that they are never taken for images of a class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from medtransfer.layouts.files import words

MASK_WORDS = frozenset(
    words(
        "mask masks segmentation segmentations seg segs annotation annotations gt groundtruth truth contour contours "
        "label labels"
    )
)
NEGATIONS = frozenset(("no", "non", "not", "with", "without", "un"))
SUFFIX = re.compile(rf"[\W_]+({'|'.join(sorted(MASK_WORDS, key=len, reverse=True))})[\W_]*\d*$", re.IGNORECASE)
"""`_mask`, `_Annotation`, `-seg2`: what the name of a mask adds to that of its image."""


def speaks_of_masks(name: str) -> bool:
    """Say whether the name of a folder or column has a word for masks in it."""
    return bool(MASK_WORDS.intersection(words(name)))


def mask_pairs(images: Sequence[PurePosixPath]) -> list[tuple[PurePosixPath, PurePosixPath]]:
    """Pair every mask with its image, by folder (`masks/a.png`) or by suffix (`a_mask.png`); mostly none.

    A folder of masks counts where at least half of its files have an image of the same name elsewhere: a
    class may be called `mask`, and its files be numbered like those of `no_mask`.
    """
    return _by_suffix(images) or _by_folder(images)


def _by_suffix(images: Sequence[PurePosixPath]) -> list[tuple[PurePosixPath, PurePosixPath]]:
    known = {(image.parent, image.stem.lower()): image for image in images}
    pairs = []
    for mask in images:
        stem = mask.stem.lower()
        image = known.get((mask.parent, SUFFIX.sub("", stem)))
        if image is not None and image != mask and SUFFIX.search(stem):
            pairs.append((mask, image))
    return pairs


def _by_folder(images: Sequence[PurePosixPath]) -> list[tuple[PurePosixPath, PurePosixPath]]:
    beside = {
        (image.parts[:at], image.stem.lower()): image
        for image in images
        for at in range(len(image.parts))
        if at == len(image.parts) - 1 or not speaks_of_masks(image.parts[at])
    }
    found: dict[tuple[str, ...], list[tuple[PurePosixPath, PurePosixPath | None]]] = {}
    for image in images:
        at = next((at for at in range(len(image.parts) - 2, -1, -1) if _holds_masks(image.parts[at])), None)
        if at is not None:
            stem = SUFFIX.sub("", image.stem.lower())
            found.setdefault(image.parts[: at + 1], []).append((image, beside.get((image.parts[:at], stem))))
    pairs = []
    for masks in found.values():
        paired = [(mask, image) for mask, image in masks if image is not None]
        pairs += paired if 2 * len(paired) >= len(masks) else []
    return pairs


def _holds_masks(folder: str) -> bool:
    return speaks_of_masks(folder) and not NEGATIONS.intersection(words(folder))
