"""Pairing masks with images: which file is a mask of which image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from glob import escape
from pathlib import PurePosixPath

from medtransfer.data.layouts.files import NEUTRAL_WORDS, shared_start, words

MASK_WORDS = frozenset(
    words(
        "mask masks segmentation segmentations seg segs annotation annotations gt gts groundtruth truth contour "
        "contours label labels manual manual1 roi rois superpixel superpixels"
    )
)
NEGATIONS = frozenset(("no", "non", "not", "with", "without", "un"))
NUMBER = r"[\W_]*\d*$"
ANY_WORD = "|".join(sorted(MASK_WORDS, key=len, reverse=True))
SUFFIX = re.compile(rf"[ _.-]+({ANY_WORD}){NUMBER}", re.IGNORECASE)
"""`_mask`, `_Annotation`, `-seg2`: the part that the name of a mask adds to that of its image. It does not begin with a
bracket: `cyst (1)_mask` is a mask of `cyst (1)`."""
WITHIN = re.compile(rf"[ _.-](?:.*[\W\d_])?({ANY_WORD})(?![^\W\d_])", re.IGNORECASE)
"""A word for masks that is not the first of a name; others may be around it: `_reader1_mask`, `_gt_2_hard`."""
SEPARATOR = re.compile(r"[ _.-]+")
FIRST_WORD = re.compile(r"^[a-z]+[ _.-]+(?=.*\d)")
LAST_WORD = re.compile(r"[ _.-]+[a-z]+\d?$")
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")

Pairs = list[tuple[PurePosixPath, PurePosixPath]]
"""(mask, image)."""
Kind = tuple[str, str]
"""`folder` or `suffix`, and its name."""


def speaks_of_masks(name: str) -> bool:
    """Return whether the name of a folder or column contains a word for masks."""
    return bool(MASK_WORDS.intersection(words(name) + words(CAMEL.sub(" ", name))))


def mask_pairs(images: Sequence[PurePosixPath]) -> Pairs:
    """Pair every mask with its image, by suffix (`a_mask.png`) or by folder (`masks/a.png`); often there are none.

    A folder of masks counts if at least half of its files have an image of the same name elsewhere: a
    class may be called `mask`, and its files be numbered like those of `no_mask`.
    """
    by_suffix = _by_suffix(images)
    masks = {mask for mask, _ in by_suffix}
    return by_suffix + [
        pair
        for pair in _by_folder([image for image in images if image not in masks])
        if pair[0] not in {image for _, image in by_suffix}
    ]


def kind_of(mask: PurePosixPath, image: PurePosixPath) -> Kind:
    """Return `folder` or `suffix`, and the name of the folder or suffix by which a mask is one."""
    inside = mask.parent.parts[len(shared_start([mask.parent.parts, image.parent.parts])) :]
    folder = next((part for part in reversed(inside) if speaks_of_masks(part)), None)
    if folder is not None:
        return "folder", folder
    return "suffix", ending_of(mask, image)


def ending_of(mask: PurePosixPath, image: PurePosixPath) -> str:
    """Return what the name of a mask adds to that of its image, without the number after a word for masks."""
    own = mask.stem.lower().startswith(image.stem.lower())
    ending = SUFFIX.search(mask.stem, len(image.stem) if own else 0)
    if ending:
        return mask.stem[len(image.stem) if own else ending.start() : ending.end(1)]
    return mask.stem[len(image.stem) :] if own else mask.stem


def excluding(pairs: Pairs, images: Sequence[PurePosixPath]) -> list[str]:
    """Return patterns of `data.files` that exclude all masks and no other image, or none if there are none."""
    kinds = sorted({kind_of(mask, image) for mask, image in pairs})
    patterns = [f"*{escape(name)}{'/' if key == 'folder' else ''}*" for key, name in kinds]
    matched = {image for image in images if any(fnmatchcase(str(image), pattern) for pattern in patterns)}
    return patterns if matched == {mask for mask, _ in pairs} else []


def unpaired_masks(images: Sequence[PurePosixPath], pairs: Pairs) -> list[PurePosixPath]:
    """Return the files in folders of masks, without images below these, that match no image."""
    known = {path for pair in pairs for path in pair}
    with_images = {image.parts[:at] for _, image in pairs for at in range(1, len(image.parts))}
    return [
        mask
        for mask, at in _in_folders_of_masks(images)
        if mask not in known and mask.parts[: at + 1] not in with_images
    ]


def _by_suffix(images: Sequence[PurePosixPath]) -> Pairs:
    known = {(image.parent, image.stem.lower()): image for image in images}
    pairs = []
    for mask in images:
        stems = _shorter(mask.stem.lower())
        image = next((known[mask.parent, stem] for stem in stems if (mask.parent, stem) in known), None)
        if image is not None:
            pairs.append((mask, image))
    return pairs


def _shorter(stem: str) -> list[str]:
    """Return what the name of a mask, in lower case, may begin with, longest first: the rest has a word for masks."""
    if WITHIN.search(stem) is None:
        return []
    ends = [separator.start() for separator in SEPARATOR.finditer(stem)][::-1]
    return [stem[:at] for at in ends if at and WITHIN.match(stem, at) and not NEGATIONS.intersection(words(stem[at:]))]


def _by_folder(images: Sequence[PurePosixPath]) -> Pairs:
    known = images_by_name(images)
    found: dict[tuple[str, ...], list[tuple[PurePosixPath, list[PurePosixPath]]]] = {}
    inside = dict(_in_folders_of_masks(images))
    alone = alone_in(image for image in images if image not in inside)
    for mask, at in inside.items():
        candidates = (
            [image for image in known.get(name, []) if image.parent != mask.parent and _is_next_to(image, mask, at)]
            for name in image_names(mask)
        )
        named = next(filter(None, candidates), []) or list(filter(None, [alone.get(mask.parts[:at])]))
        found.setdefault(mask.parts[: at + 1], []).append((mask, likeliest(mask, named)))
    pairs: Pairs = []
    for folder in sorted(found, key=len, reverse=True):  # the folder nearest to the files decides
        masks_so_far = {mask for mask, _ in pairs}
        if any(image.parts[: len(folder)] == folder for _, image in pairs):
            continue  # it contains images, too
        masks = found[folder]
        paired = [(mask, images[0]) for mask, images in masks if len(images) == 1 and images[0] not in masks_so_far]
        pairs += paired if 2 * len(paired) >= len(masks) else []
    return pairs


def _in_folders_of_masks(images: Sequence[PurePosixPath]) -> Iterator[tuple[PurePosixPath, int]]:
    """Yield the images below a folder named after masks, and the place of the nearest such folder in their paths.

    If the folder above is named so, too (`ManualMask/leftMask`), the place is that of the uppermost.
    """
    nearest = {image: _nearest_of_masks(image) for image in images}
    with_images = {image.parts[:end] for image, at in nearest.items() for end in range(at + 1, len(image.parts))}
    for mask, at in nearest.items():
        top = at
        while top > 0 and holds_masks(mask.parts[top - 1]) and mask.parts[:top] not in with_images:
            top -= 1
        if top >= 0:
            yield mask, top


def _nearest_of_masks(image: PurePosixPath) -> int:
    """Return the place of the nearest folder named after masks in a path, or -1."""
    return next((at for at in range(len(image.parts) - 2, -1, -1) if holds_masks(image.parts[at])), -1)


def alone_in(images: Iterable[PurePosixPath]) -> dict[tuple[str, ...], PurePosixPath]:
    """Map folders to the one of these images that is below them, if several images have a folder of their own."""
    found: dict[tuple[str, ...], list[PurePosixPath]] = {}
    for image in images:
        for end in range(len(image.parts)):
            found.setdefault(image.parts[:end], []).append(image)
    alone = {folder: inside[0] for folder, inside in found.items() if len(inside) == 1}
    return alone if len(set(alone.values())) > 1 else {}


def image_names(mask: PurePosixPath) -> list[str]:
    """Return the names that the image of a mask may have: its own, and what remains without its last word."""
    stem = mask.stem.lower()
    first = FIRST_WORD.match(stem)
    rest = [stem[first.end() :]] if first and speaks_of_masks(first[0]) else []
    return list(dict.fromkeys((stem, *_shorter(stem), LAST_WORD.sub("", stem), *rest)))


def number_less(stem: str) -> str:
    """Return a name without the number at its end, which may count the masks of one image."""
    return re.sub(r"[ _.-]+\d+$", "", stem)


def _is_next_to(image: PurePosixPath, mask: PurePosixPath, at: int) -> bool:
    """Return whether an image is next to the folder of masks at place `at` of a mask's path, or in a folder there."""
    same = image.parts[:at] == mask.parts[:at]
    return same and (len(image.parts) == at + 1 or not speaks_of_masks(image.parts[at]))


@lru_cache(maxsize=1 << 12)
def holds_masks(folder: str) -> bool:
    """Return whether the name of a folder speaks of masks, and not of their absence, as `no_mask` does."""
    return speaks_of_masks(folder) and not NEGATIONS.intersection(words(folder))


def images_by_name(images: Iterable[PurePosixPath]) -> dict[str, list[PurePosixPath]]:
    """Map stems to images, and stems without their last word (`21_training`) unless an image has that name.

    In folders such as `images`, which name no class, the first word may be missing, too (`bus_21`).
    """
    found: dict[str, list[PurePosixPath]] = {}
    shorter: dict[str, list[PurePosixPath]] = {}
    for image in images:
        stem = image.stem.lower()
        found.setdefault(stem, []).append(image)
        shorter.setdefault(LAST_WORD.sub("", stem), []).append(image)
        if FIRST_WORD.match(stem) and NEUTRAL_WORDS.intersection(words(image.parent.name)):
            shorter.setdefault(FIRST_WORD.sub("", stem), []).append(image)
    return shorter | found


def likeliest(mask: PurePosixPath, images: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """Keep the images whose folders agree best with those of the mask: most, or words (`test-mask`), in common."""
    if len(images) < 2:
        return list(images)
    folders, said = set(mask.parent.parts), set(words(str(mask.parent)))

    def agreement(image: PurePosixPath) -> tuple[int, int, int]:
        own = set(image.parent.parts)
        return len(own & folders), len(said.intersection(words(str(image.parent)))), -len(own - folders)

    best = max(map(agreement, images))
    return [image for image in images if agreement(image) == best]
