"""Pairing masks with images: which file is a mask of which image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from medtransfer.data.layouts.files import images_below, words
from medtransfer.study import MaskFiles
from medtransfer.util.errors import UserError

MASK_WORDS = frozenset(
    words(
        "mask masks segmentation segmentations seg segs annotation annotations gt groundtruth truth contour contours "
        "label labels"
    )
)
NEGATIONS = frozenset(("no", "non", "not", "with", "without", "un"))
NUMBER = r"[\W_]*\d*$"
SUFFIX = re.compile(rf"[\W_]+({'|'.join(sorted(MASK_WORDS, key=len, reverse=True))}){NUMBER}", re.IGNORECASE)
"""`_mask`, `_Annotation`, `-seg2`: the part that the name of a mask adds to that of its image."""

Pairs = list[tuple[PurePosixPath, PurePosixPath]]
"""(mask, image)."""


def speaks_of_masks(name: str) -> bool:
    """Return whether the name of a folder or column contains a word for masks."""
    return bool(MASK_WORDS.intersection(words(name)))


def find_masks(root: Path, base: str, masks: MaskFiles) -> dict[str, list[str]]:
    """Return the sorted masks of each image below the folder `base` of a set, as paths relative to `root`.

    Raises `UserError` if there are no masks, and with every mask that belongs to no image or may belong to several;
    with `missing: drop` masks without an image are ignored.
    """
    images = [PurePosixPath(path.relative_to(root).as_posix()) for path in images_below(root / base)]
    pairs, problems = _named_pairs(images, masks) if masks.folder or masks.suffix else (mask_pairs(images), [])
    if not pairs and not problems:
        key = "folder" if masks.folder else "suffix" if masks.suffix else "auto"
        raise UserError(f"data.masks.{key}: no masks were found among the {len(images)} images of {root / base}")
    if problems:
        raise UserError(problems)
    found: dict[str, list[str]] = {}
    for mask, image in pairs:
        found.setdefault(str(image), []).append(str(mask))
    return {image: sorted(found[image]) for image in sorted(found)}


def mask_pairs(images: Sequence[PurePosixPath]) -> Pairs:
    """Pair every mask with its image, by suffix (`a_mask.png`) or by folder (`masks/a.png`); often there are none.

    A folder of masks counts if at least half of its files have an image of the same name elsewhere: a
    class may be called `mask`, and its files be numbered like those of `no_mask`.
    """
    return _by_suffix(images) or _by_folder(images)


def _named_pairs(images: Sequence[PurePosixPath], masks: MaskFiles) -> tuple[Pairs, list[str]]:
    """Pair the masks of a folder or suffix that the params name; return the problems too."""
    folder = tuple(PurePosixPath(masks.folder.lower()).parts) if masks.folder else ()
    suffix = re.compile(re.escape(masks.suffix) + NUMBER, re.IGNORECASE) if masks.suffix else None

    def is_mask(path: PurePosixPath) -> bool:
        if folder:
            parts = tuple(part.lower() for part in path.parent.parts)
            return any(parts[at : at + len(folder)] == folder for at in range(len(parts) - len(folder) + 1))
        return suffix is not None and suffix.search(path.stem) is not None

    others = _by_stem(path for path in images if not is_mask(path))
    pairs: Pairs = []
    problems: list[str] = []
    for mask in filter(is_mask, images):
        stems = [mask.stem] if suffix is None else [suffix.sub("", mask.stem), mask.stem]
        candidates = next((found for stem in stems if (found := _likeliest(mask, others.get(stem.lower(), [])))), [])
        if len(candidates) == 1:
            pairs.append((mask, candidates[0]))
        elif candidates:
            problems.append(f"{mask}: a mask of {' or '.join(map(str, candidates))}; name data.layout.root")
        elif masks.missing != "drop":
            problems.append(f"{mask}: a mask without an image; data.masks.missing: drop ignores it")
    return pairs, problems


def _by_suffix(images: Sequence[PurePosixPath]) -> Pairs:
    known = {(image.parent, image.stem.lower()): image for image in images}
    pairs = []
    for mask in images:
        stem = mask.stem.lower()
        image = known.get((mask.parent, SUFFIX.sub("", stem)))
        if image is not None and image != mask and SUFFIX.search(stem):
            pairs.append((mask, image))
    return pairs


def _by_folder(images: Sequence[PurePosixPath]) -> Pairs:
    known = _by_stem(images)
    found: dict[tuple[str, ...], list[tuple[PurePosixPath, list[PurePosixPath]]]] = {}
    for mask in images:
        at = next((at for at in range(len(mask.parts) - 2, -1, -1) if _holds_masks(mask.parts[at])), None)
        if at is not None:
            named = known.get(SUFFIX.sub("", mask.stem.lower()), [])
            found.setdefault(mask.parts[: at + 1], []).append(
                (mask, _likeliest(mask, [image for image in named if _is_next_to(image, mask, at)]))
            )
    pairs = []
    for masks in found.values():
        paired = [(mask, candidates[0]) for mask, candidates in masks if len(candidates) == 1]
        pairs += paired if 2 * len(paired) >= len(masks) else []
    return pairs


def _is_next_to(image: PurePosixPath, mask: PurePosixPath, at: int) -> bool:
    """Return whether an image is next to the folder of masks at place `at` of a mask's path, or in a folder there."""
    same = image.parts[:at] == mask.parts[:at]
    return same and (len(image.parts) == at + 1 or not speaks_of_masks(image.parts[at]))


def _holds_masks(folder: str) -> bool:
    return speaks_of_masks(folder) and not NEGATIONS.intersection(words(folder))


def _by_stem(images: Iterable[PurePosixPath]) -> dict[str, list[PurePosixPath]]:
    found: dict[str, list[PurePosixPath]] = {}
    for image in images:
        found.setdefault(image.stem.lower(), []).append(image)
    return found


def _likeliest(mask: PurePosixPath, images: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """Keep the images whose folders agree best with those of the mask: most in common, then fewest others."""
    folders = set(mask.parent.parts)

    def agreement(image: PurePosixPath) -> tuple[int, int]:
        own = set(image.parent.parts)
        return len(own & folders), -len(own - folders)

    best = max(map(agreement, images), default=(0, 0))
    return [image for image in images if agreement(image) == best]
