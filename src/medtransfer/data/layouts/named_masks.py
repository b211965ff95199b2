"""The masks of a set as `data.masks` selects them, or the choices that work."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath

from medtransfer.data.layouts.files import (
    NEUTRAL_WORDS,
    files_below,
    images_below,
    relative_to,
    shared_start,
    split_of,
    words,
)
from medtransfer.data.layouts.mask_pairs import (
    NUMBER,
    Kind,
    Pairs,
    alone_in,
    excluding,
    holds_masks,
    image_names,
    images_by_name,
    kind_of,
    likeliest,
    mask_pairs,
    number_less,
    unpaired_masks,
)
from medtransfer.data.layouts.unread import boxes_and_outlines
from medtransfer.study import MaskFiles
from medtransfer.study.masks import MaskPlace
from medtransfer.util.errors import UserError
from medtransfer.util.text import counted, yaml_word

FREQUENT = 0.2
READERS = frozenset(words("annotator annot reader expert rater observer grader doctor radiologist manual"))
"""Words before a number that says who drew a mask, so that masks of several numbers are not parts of one."""
BY_NAME = (
    "data.masks.folder or data.masks.suffix; a mask needs the name of its image, in another folder or with a suffix"
)


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
        outlines = boxes_and_outlines(
            root / base, list(map(PurePosixPath, relative_to(root / base, files_below(root / base))))
        )
        raise UserError(
            f"data.masks.{key}: no masks were found among the {len(images)} images of {root / base}; "
            f"{outlines or f'select them by {_that_work(images, _folders_of_namesakes(images)) or BY_NAME}'}"
        )
    if problems:
        raise UserError(problems)
    found: dict[str, list[str]] = {}
    for mask, image in pairs:
        found.setdefault(str(image), []).append(str(mask))
    return {image: sorted(found[image]) for image in sorted(found)}


def _several_kinds(images: Sequence[PurePosixPath], pairs: Pairs) -> list[str]:
    """Return a problem if an image has masks of several folders or suffixes, which differ in meaning."""
    masks: dict[PurePosixPath, list[PurePosixPath]] = {}
    for mask, image in pairs:
        masks.setdefault(image, []).append(mask)
    kinds = {image: _kinds_of(image, of_it) for image, of_it in masks.items() if len(of_it) > 1}
    mixed = {image: found for image, found in kinds.items() if len(found) > 1}
    if not mixed:
        return []
    image, found = next(iter(mixed.items()))
    both = {kind for found in mixed.values() for kind in found}
    return [
        f"data.masks: auto: masks of several kinds for {counted(len(mixed), 'image')} ({image}: "
        f"{', '.join(map(str, found.values()))}); merging them would mix their meanings; choose one: "
        f"{_without_others(images, pairs, both)}{_a_class_each(images, both)}"
        f"{_merged(images, pairs)}"
    ]


def _kinds_of(image: PurePosixPath, masks: Sequence[PurePosixPath]) -> dict[Kind, PurePosixPath]:
    """Return a mask of each kind: of masks in one folder whose names only count up, all are of one."""
    kinds = {kind_of(mask, image): mask for mask in masks}
    if len(kinds) > 1:
        return kinds
    places = {mask.parent.parts[len(shared_start([mask.parent.parts for mask in masks])) :]: mask for mask in masks}
    if len(places) > 1 and all(places):
        return {("folder", place[0]): mask for place, mask in places.items()}
    own = image.stem.lower()
    endings = {mask.stem[len(own) :]: mask for mask in masks if mask.stem.lower().startswith(own)}
    numbers = [int(re.sub(r"\D", "", ending) or 0) for ending in endings]
    before = {re.sub(NUMBER, "", ending).lower() for ending in endings}
    if len(endings) < len(masks) or (
        len(before) == 1 and max(numbers) <= len(masks) and READERS.isdisjoint(re.findall(r"[^\W\d_]+", before.pop()))
    ):
        return kinds
    return {("suffix", ending): mask for ending, mask in endings.items()}


def _merged(images: Sequence[PurePosixPath], pairs: Pairs) -> str:
    """Return the choice of `data.masks` by which masks of all kinds are those of one class, if one folder has them."""
    shared = shared_start([mask.parent.parts for mask, _ in pairs])
    choice = _that_work(images, {("folder", shared[-1])}, suffixes=False) if shared and holds_masks(shared[-1]) else ""
    return f"; or, to merge them: {choice}" if choice else ""


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


def _that_work(images: Sequence[PurePosixPath], kinds: set[Kind], suffixes: bool = True) -> str:
    """Return the choices of `data.masks`, of these kinds and frequent suffixes, by which each mask has its image."""
    found = []
    for key, name in sorted(kinds | (_frequent_suffixes(images) if suffixes else set())):
        for missing in ("fail", "drop"):
            pairs, problems = _named_pairs(images, MaskFiles.model_validate({key: name, "missing": missing}))
            if pairs and not problems and (missing == "drop" or len(set(chain(*pairs))) == len(images)):
                more = ", missing: drop" if missing == "drop" else ""
                found.append(f"{{{key}: {yaml_word(name)}{more}}}")
                break
    return f"data.masks: {' or '.join(found)}" if found else ""


def _without_others(images: Sequence[PurePosixPath], pairs: Pairs, kinds: set[Kind]) -> str:
    """Return the choices that leave masks of one kind: the others are excluded or, failing that, not selected."""
    found: list[str] = []
    for kind in sorted(kinds):
        others = [pair for pair in pairs if kind_of(*pair) != kind]
        left = [image for image in images if image not in {mask for mask, _ in others}]
        remaining = mask_pairs(left)
        sound = remaining and not _several_kinds(left, remaining) and not _unpaired(left, remaining)
        if sound and (patterns := excluding(others, images)):
            start = "" if any(choice.startswith("data.files") for choice in found) else "data.files: "
            found.append(f"{start}{{exclude: {json.dumps(patterns)}}}")
        elif choice := _that_work(images, {kind}, suffixes=False):
            found.append(choice)
    return " or ".join(found) or BY_NAME


def _folders_of_namesakes(images: Sequence[PurePosixPath]) -> set[Kind]:
    """Return the names of folders whose files have names of images elsewhere, unless they speak of images."""
    folders: dict[str, set[str]] = {}
    for image in images:
        folders.setdefault(image.parent.name, set()).add(image.stem.lower())
    return {
        ("folder", name)
        for name, stems in folders.items()
        if name and not NEUTRAL_WORDS.intersection(words(name)) and split_of(name) is None
        if any(other != name and stems <= theirs for other, theirs in folders.items())
    }


def _frequent_suffixes(images: Sequence[PurePosixPath]) -> set[Kind]:
    """Return what at least a fifth of the names add to the name of another image."""
    stems = {image.stem.lower() for image in images}
    counts: Counter[str] = Counter()
    for stem in (image.stem for image in images):
        starts = [at for at, sign in enumerate(stem) if sign in "_-. " and stem[:at].lower() in stems]
        if starts:
            counts[re.sub(NUMBER, "", stem[max(starts) :])] += 1
    return {("suffix", name) for name, count in counts.items() if name and count >= max(2, FREQUENT * len(images))}


def _unpaired(images: Sequence[PurePosixPath], pairs: Pairs) -> list[str]:
    left = unpaired_masks(images, pairs)
    if not left or len(left) == len(images):
        return []
    kinds = {kind_of(mask, image) for mask, image in pairs} | {("folder", left[0].parent.name)}
    return [
        f"data.masks: auto: {counted(len(left), 'file')} in mask folders without an image, such as {left[0]}; "
        f"select the masks by {_that_work(images, kinds) or BY_NAME}"
    ]


def _named_pairs(images: Sequence[PurePosixPath], masks: MaskFiles) -> tuple[Pairs, list[str]]:
    """Pair the masks of a folder or suffix that the params name; return the problems too."""
    tests = [(place, _is_mask_of(place)) for place in _places_of(masks)]
    plain = [path for path in images if not any(is_mask(path) for _, is_mask in tests)]
    others, alone = images_by_name(plain), alone_in(plain)
    pairs: Pairs = []
    problems: list[str] = []
    for mask in images:
        places = [place for place, is_mask in tests if is_mask(mask)]
        if len(places) > 1:
            problems.append(f"{mask}: a mask of several classes by its name; name other folders or suffixes")
        if len(places) != 1:
            continue
        suffix = _suffix_of(places[0])
        stems = [suffix.sub("", mask.stem), mask.stem] if suffix else [*image_names(mask), number_less(mask.stem)]
        named = ([*_not_masks(others.get(stem.lower(), []))] for stem in stems)
        candidates = likeliest(mask, next(filter(None, named), []))
        if not candidates and suffix is None:
            above = (mask.parts[:end] for end in range(len(mask.parts) - 1, -1, -1))
            candidates = next(([alone[folder]] for folder in above if folder in alone), [])
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


def _not_masks(images: Sequence[PurePosixPath]) -> Sequence[PurePosixPath]:
    """Return the images that are in no folder of masks, of another kind, or else all."""
    return [image for image in images if not holds_masks(image.parent.name)] or images


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
