"""`data.layout: auto`: the one layout by which a set can be read, or an error that lists all of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from medtransfer.data.layouts import LAYOUTS, Reading
from medtransfer.data.layouts.files import files_below, images_of
from medtransfer.data.layouts.folders import only_numbered
from medtransfer.data.layouts.label_csv import same_partition
from medtransfer.data.layouts.mask_pairs import mask_pairs
from medtransfer.data.layouts.read import as_yaml, read_layout
from medtransfer.study import Layout
from medtransfer.util.errors import UserError

MOST_CHOICES = 6
MOST_NUMBERED = 20
"""More folders than this that differ only in a number are probably patients, not classes."""


def resolve_layout(root: Path, layout: Layout, masks: Collection[str] = frozenset(), labelled: bool = True) -> Layout:
    """Return the layout if it is explicit; if it is `auto`, the one that is detected below its root.

    The files `masks`, by their paths, are ignored. If no labels are needed (`labelled` false) all images are read.
    """
    if layout.kind != "auto":
        return layout
    base = root / layout.root
    if not base.is_dir():
        raise UserError(f"data.layout.root: {layout.root} is not a folder of the set")
    if not labelled:
        return layout.model_copy(update={"kind": "images"})
    found = detect_layout(base, {PurePosixPath(path).relative_to(layout.root) for path in masks})
    return found.model_copy(update={"root": str(PurePosixPath(layout.root) / found.root)})


def detect_layout(base: Path, masks: Collection[PurePosixPath] = frozenset()) -> Layout:
    """Detect how the images below `base`, except `masks`, are laid out.

    Only names, folders and CSVs are read, no pixels. Raises `UserError` if there are no images, if
    there are masks that are not named, if no layout is detected, and if several layouts fit: then it lists
    them.
    """
    files = [PurePosixPath(path.relative_to(base).as_posix()) for path in files_below(base)]
    files = [file for file in files if file not in masks]
    images = images_of(files)
    if not images:
        raise UserError(f"{base}: expected images, but got {len(files)} files of other kinds")
    if not masks and (pairs := mask_pairs(images)):
        mask, image = pairs[0]
        raise UserError(
            f"{base}: {len(pairs)} of {len(images)} images are masks of others ({mask} of {image}): data.masks: auto "
            "packs them with their images; to do without them, name a data.layout that leaves them out"
        )
    readings = _detect(base, files)
    certain = [reading for reading in readings if reading.evidence == "certain"]
    if certain:
        roots = [reading.layout.root for reading in certain]
        explained = {image for image in images if any(image.is_relative_to(root) for root in roots)}
        rest = _detect(base, [file for file in files if file not in explained]) if len(explained) < len(images) else []
        readings = certain + _plausible(base, rest)
    else:
        readings = _plausible(base, readings)
    if len(readings) != 1:
        raise UserError(_refusal(base, readings, images))
    return readings[0].layout


def _detect(base: Path, files: Sequence[PurePosixPath]) -> list[Reading]:
    return [reading for layout in LAYOUTS.values() for reading in layout.detect(base, files)]


def _plausible(base: Path, readings: Sequence[Reading]) -> list[Reading]:
    """Return the readings by the best evidence, and one of two that agree."""
    tables = [reading for reading in readings if reading.evidence == "named" and reading.layout.file]
    folders = [reading for reading in readings if reading.evidence == "named" and not reading.layout.file]
    possible = [reading for reading in readings if reading.evidence == "possible"]
    if tables:  # then folders that differ only in a number are parts of an archive
        folders = [reading for reading in folders if not only_numbered(reading.classes)]
    if len(folders) == len(tables) == 1 and (agreed := _agreed(base, folders[0], tables[0])):
        return [agreed]
    for reading in [] if possible else folders:
        names = reading.classes
        if len(names) > MOST_NUMBERED and only_numbered(names):
            raise UserError(
                f"data.layout: auto: {len(names)} folders differ only in a number ({names[0]} … {names[-1]}): if "
                f"they are classes and not patients, set data.layout: {as_yaml(reading.layout)}; else add a CSV of "
                "labels"
            )
    return folders + tables or possible


def _agreed(base: Path, folders: Reading, table: Reading) -> Reading | None:
    """Return one of two readings that agree on all labels: the one with splits, else the CSV for its other columns."""
    try:
        first, second = read_layout(base, folders.layout), read_layout(base, table.layout)
    except UserError:
        return None
    if list(first["path"]) != list(second["path"]) or not same_partition(first["label"], second["label"]):
        return None
    return folders if first["split"].notna().any() and second["split"].isna().all() else table


def _refusal(base: Path, readings: Sequence[Reading], images: Sequence[PurePosixPath]) -> str:
    if not readings:
        return (
            f"{base}: no layout is detected for {len(images)} images, the first being {images[0]}; expected folders "
            "of classes, or a CSV whose columns name images and labels; or name an explicit data.layout"
        )
    shown = []
    for reading in readings[:MOST_CHOICES]:
        names = f"{', '.join(reading.classes[:4])}{', …' if len(reading.classes) > 4 else ''}"
        shown.append(as_yaml(reading.layout) + (f" (classes {names})" if names else ""))
    more = f" or {len(readings) - MOST_CHOICES} more" if len(readings) > MOST_CHOICES else ""
    return f"data.layout: auto: the set can be read in {len(readings)} ways; name one: {' or '.join(shown)}{more}"
