"""Pairing masks with images: which file is a mask of which image."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from glob import escape
from itertools import chain
from pathlib import Path, PurePosixPath

from medtransfer.data.layouts.files import images_below, relative_to, shared_start, words
from medtransfer.study import MaskFiles
from medtransfer.study.data import MaskPlace
from medtransfer.util.errors import UserError
from medtransfer.util.text import counted, yaml_word

MASK_WORDS = frozenset(
    words(
        "mask masks segmentation segmentations seg segs annotation annotations gt groundtruth truth contour contours "
        "label labels manual manual1 roi rois superpixel superpixels"
    )
)
NEGATIONS = frozenset(("no", "non", "not", "with", "without", "un"))
NUMBER = r"[\W_]*\d*$"
SUFFIX = re.compile(rf"[ _.-]+({'|'.join(sorted(MASK_WORDS, key=len, reverse=True))}){NUMBER}", re.IGNORECASE)
"""`_mask`, `_Annotation`, `-seg2`: the part that the name of a mask adds to that of its image. It does not begin with a
bracket: `cyst (1)_mask` is a mask of `cyst (1)`."""
LAST_WORD = re.compile(r"[ _.-]+[a-z]+\d?$")
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")

FREQUENT = 0.2
BY_NAME = "data.masks.folder or data.masks.suffix"
Pairs = list[tuple[PurePosixPath, PurePosixPath]]
"""(mask, image)."""
Kind = tuple[str, str]
"""`folder` or `suffix`, and its name."""


def speaks_of_masks(name: str) -> bool:
    """Return whether the name of a folder or column contains a word for masks."""
    return bool(MASK_WORDS.intersection(words(name) + words(CAMEL.sub(" ", name))))


def find_masks(
    root: Path, base: str, masks: MaskFiles, left_out: Collection[str] = frozenset()
) -> dict[str, list[str]]:
    """Return the sorted masks of each image below the folder `base` of a set, as paths relative to `root`.

    The files `left_out` are ignored. Raises `UserError` if there are no masks, if `auto` finds two kinds of them, and
    with every mask that belongs to no image or may belong to several; with `missing: drop` masks without an image are
    ignored.
    """
    images = [PurePosixPath(path) for path in relative_to(root, images_below(root / base))]
    images = [image for image in images if str(image) not in left_out]
    named = bool(masks.folder or masks.suffix or masks.places)
    pairs, problems = _named_pairs(images, masks) if named else (mask_pairs(images), [])
    if not named:
        problems = _several_kinds(images, pairs) or _unpaired(images, pairs)
    if not pairs and not problems:
        key = "folder" if masks.folder else "suffix" if masks.suffix else "auto"
        raise UserError(
            f"data.masks.{key}: no masks were found among the {len(images)} images of {root / base}; select them by "
            f"{_that_work(images, set()) or BY_NAME}"
        )
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
    by_suffix = _by_suffix(images)
    masks = {mask for mask, _ in by_suffix}
    return by_suffix + [
        pair
        for pair in _by_folder([image for image in images if image not in masks])
        if pair[0] not in {image for _, image in by_suffix}
    ]


def _several_kinds(images: Sequence[PurePosixPath], pairs: Pairs) -> list[str]:
    """Return a problem if an image has masks of several folders or suffixes, which differ in meaning."""
    kinds: dict[PurePosixPath, dict[Kind, PurePosixPath]] = {}
    for mask, image in pairs:
        key, name = _kind_of(mask, image)
        kinds.setdefault(image, {})[key, name] = mask
    mixed = {image: found for image, found in kinds.items() if len(found) > 1}
    if not mixed:
        return []
    image, found = next(iter(mixed.items()))
    both = {kind for found in mixed.values() for kind in found}
    return [
        f"data.masks: auto: masks of several kinds for {counted(len(mixed), 'image')} ({image}: "
        f"{', '.join(map(str, found.values()))}); merging them would mix their meanings; choose one: "
        f"{_that_work(images, both) or _without_others(images, pairs, both)}{_a_class_each(images, both)}"
    ]


def _a_class_each(images: Sequence[PurePosixPath], kinds: set[Kind]) -> str:
    """Return the choice of `data.masks` by which masks of each kind are those of a class, if it works."""
    places = {name: {key: name} for key, name in sorted(kinds)}
    spec = MaskFiles.model_validate({"classes": places, "missing": "drop"})
    pairs, problems = _named_pairs(images, spec)
    of_image: dict[PurePosixPath, list[str]] = {}
    for mask, image in pairs:
        of_image.setdefault(image, []).append(str(mask))
    complete = [image for image, masks in of_image.items() if not lacks_mask(masks, spec)]
    if problems or not complete:
        return ""
    classes = ", ".join(f"{yaml_word(name)}: {{{key}: {yaml_word(name)}}}" for key, name in sorted(kinds))
    more = "" if len(pairs) + len(complete) == len(images) else ", missing: drop"
    return f"; or, if they are different classes: data.masks: {{classes: {{{classes}}}{more}}}"


def _that_work(images: Sequence[PurePosixPath], kinds: set[Kind]) -> str:
    """Return the choices of `data.masks`, of these kinds and frequent suffixes, by which each mask has its image."""
    found = []
    for key, name in sorted(kinds | _frequent_suffixes(images)):
        for missing in ("fail", "drop"):
            pairs, problems = _named_pairs(images, MaskFiles.model_validate({key: name, "missing": missing}))
            if pairs and not problems and (missing == "drop" or len(set(chain(*pairs))) == len(images)):
                more = ", missing: drop" if missing == "drop" else ""
                found.append(f"{{{key}: {yaml_word(name)}{more}}}")
                break
    return f"data.masks: {' or '.join(found)}" if found else ""


def _without_others(images: Sequence[PurePosixPath], pairs: Pairs, kinds: set[Kind]) -> str:
    """Return the choices of `data.files` that exclude all masks but those of one kind."""
    found = []
    for kind in sorted(kinds):
        patterns = excluding([pair for pair in pairs if _kind_of(*pair) != kind], images)
        found += [f"{{exclude: {json.dumps(patterns)}}}"] if patterns else []
    return f"data.files: {' or '.join(found)}" if found else BY_NAME


def _frequent_suffixes(images: Sequence[PurePosixPath]) -> set[Kind]:
    """Return what at least a fifth of the names add to the name of another image."""
    stems = {image.stem.lower() for image in images}
    counts: Counter[str] = Counter()
    for stem in (image.stem for image in images):
        starts = [at for at, sign in enumerate(stem) if sign in "_-. " and stem[:at].lower() in stems]
        if starts:
            counts[re.sub(NUMBER, "", stem[max(starts) :])] += 1
    return {("suffix", name) for name, count in counts.items() if name and count >= max(2, FREQUENT * len(images))}


def _kind_of(mask: PurePosixPath, image: PurePosixPath) -> Kind:
    """Return `folder` or `suffix`, and the name of the folder or suffix by which a mask is one."""
    inside = mask.parent.parts[len(shared_start([mask.parent.parts, image.parent.parts])) :]
    folder = next((part for part in inside if speaks_of_masks(part)), None)
    if folder is not None:
        return "folder", folder
    ending = SUFFIX.search(mask.stem)
    return "suffix", mask.stem[ending.start() : ending.end(1)] if ending else mask.stem


def excluding(pairs: Pairs, images: Sequence[PurePosixPath]) -> list[str]:
    """Return patterns of `data.files` that exclude all masks and no other image, or none if there are none."""
    kinds = sorted({_kind_of(mask, image) for mask, image in pairs})
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


def _unpaired(images: Sequence[PurePosixPath], pairs: Pairs) -> list[str]:
    left = unpaired_masks(images, pairs)
    if not left:
        return []
    return [
        f"data.masks: auto: {counted(len(left), 'file')} in mask folders without an image, such as {left[0]}; "
        f"select the masks by {_that_work(images, {_kind_of(*pair) for pair in pairs}) or BY_NAME}"
    ]


def _named_pairs(images: Sequence[PurePosixPath], masks: MaskFiles) -> tuple[Pairs, list[str]]:
    """Pair the masks of a folder or suffix that the params name; return the problems too."""
    tests = [(place, _is_mask_of(place)) for place in _places_of(masks)]
    others = _by_name(path for path in images if not any(is_mask(path) for _, is_mask in tests))
    pairs: Pairs = []
    problems: list[str] = []
    for mask in images:
        places = [place for place, is_mask in tests if is_mask(mask)]
        if len(places) > 1:
            problems.append(f"{mask}: a mask of several classes by its name; name other folders or suffixes")
        if len(places) != 1:
            continue
        suffix = _suffix_of(places[0])
        stems = _image_names(mask) if suffix is None else [suffix.sub("", mask.stem), mask.stem]
        candidates = next((found for stem in stems if (found := _likeliest(mask, others.get(stem.lower(), [])))), [])
        if len(candidates) == 1:
            pairs.append((mask, candidates[0]))
        elif candidates:
            problems.append(f"{mask}: a mask of {' or '.join(map(str, candidates))}; name data.layout.root")
        elif masks.missing != "drop":
            problems.append(f"{mask}: a mask without an image; data.masks.missing: drop ignores it")
    problems += [
        f"data.masks.classes.{name}: no masks were found in its folder or with its suffix"
        for name, (_, is_mask) in zip(masks.places, tests, strict=False)
        if not any(is_mask(mask) for mask, _ in pairs)
    ]
    return pairs, problems


def class_of_mask(mask: PurePosixPath, masks: MaskFiles) -> int:
    """Return the number of the class, from 1, in whose place a mask is."""
    return next(number for number, place in enumerate(_places_of(masks), 1) if _is_mask_of(place)(mask))


def lacks_mask(of_image: Sequence[str], masks: MaskFiles) -> bool:
    """Return whether an image with the masks `of_image` has no mask, or none in one of several places."""
    if not masks.places:
        return not of_image
    return len({class_of_mask(PurePosixPath(mask), masks) for mask in of_image}) < len(masks.places)


def _places_of(masks: MaskFiles) -> Sequence[MaskFiles | MaskPlace]:
    return list(masks.places.values()) or [masks]


def _suffix_of(place: MaskFiles | MaskPlace) -> re.Pattern[str] | None:
    return re.compile(re.escape(place.suffix) + NUMBER, re.IGNORECASE) if place.suffix else None


def _is_mask_of(place: MaskFiles | MaskPlace) -> Callable[[PurePosixPath], bool]:
    """Return the test whether a file is a mask of a place: by a folder, at any depth, or else by a suffix.

    A place of one class that has both needs both, because another class may share the folder.
    """
    folder, suffix = tuple(PurePosixPath((place.folder or "").lower()).parts), _suffix_of(place)

    def is_mask(path: PurePosixPath) -> bool:
        if folder:
            parts = tuple(part.lower() for part in path.parent.parts)
            inside = any(parts[at : at + len(folder)] == folder for at in range(len(parts) - len(folder) + 1))
            if suffix is None or isinstance(place, MaskFiles):
                return inside
            return inside and suffix.search(path.stem) is not None
        return suffix is not None and suffix.search(path.stem) is not None

    return is_mask


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
    known = _by_name(images)
    found: dict[tuple[str, ...], list[tuple[PurePosixPath, list[PurePosixPath]]]] = {}
    for mask, at in _in_folders_of_masks(images):
        candidates = (
            [image for image in known.get(name, []) if image.parent != mask.parent and _is_next_to(image, mask, at)]
            for name in _image_names(mask)
        )
        named = next(filter(None, candidates), [])
        found.setdefault(mask.parts[: at + 1], []).append((mask, _likeliest(mask, named)))
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
    """Yield the images below a folder named after masks, and the place of the nearest such folder in their paths."""
    for mask in images:
        at = next((at for at in range(len(mask.parts) - 2, -1, -1) if _holds_masks(mask.parts[at])), None)
        if at is not None:
            yield mask, at


def _image_names(mask: PurePosixPath) -> list[str]:
    """Return the names that the image of a mask may have: its own, and what remains without its last word."""
    stem = mask.stem.lower()
    return list(dict.fromkeys((stem, SUFFIX.sub("", stem), LAST_WORD.sub("", stem))))


def _is_next_to(image: PurePosixPath, mask: PurePosixPath, at: int) -> bool:
    """Return whether an image is next to the folder of masks at place `at` of a mask's path, or in a folder there."""
    same = image.parts[:at] == mask.parts[:at]
    return same and (len(image.parts) == at + 1 or not speaks_of_masks(image.parts[at]))


@lru_cache(maxsize=1 << 12)
def _holds_masks(folder: str) -> bool:
    return speaks_of_masks(folder) and not NEGATIONS.intersection(words(folder))


def _by_name(images: Iterable[PurePosixPath]) -> dict[str, list[PurePosixPath]]:
    """Map stems to images, and stems without their last word (`21_training`) unless an image has that name."""
    found: dict[str, list[PurePosixPath]] = {}
    shorter: dict[str, list[PurePosixPath]] = {}
    for image in images:
        stem = image.stem.lower()
        found.setdefault(stem, []).append(image)
        shorter.setdefault(LAST_WORD.sub("", stem), []).append(image)
    return shorter | found


def _likeliest(mask: PurePosixPath, images: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """Keep the images whose folders agree best with those of the mask: most in common, then fewest others."""
    folders = set(mask.parent.parts)

    def agreement(image: PurePosixPath) -> tuple[int, int]:
        own = set(image.parent.parts)
        return len(own & folders), -len(own - folders)

    best = max(map(agreement, images), default=(0, 0))
    return [image for image in images if agreement(image) == best]
