"""`data.layout: auto`: the one layout by which a set can be read, or an error that lists all of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from medtransfer.data.layouts import LAYOUTS, Reading
from medtransfer.data.layouts.evidence import Evidence, deeper_levels, objections, tables_of_images
from medtransfer.data.layouts.files import files_below, images_of
from medtransfer.data.layouts.folders import only_numbered
from medtransfer.data.layouts.label_csv import same_partition
from medtransfer.data.layouts.mask_pairs import mask_pairs
from medtransfer.data.layouts.read import Given, as_yaml, read_layout
from medtransfer.study import Layout
from medtransfer.study.data import DEEP_LAYOUTS
from medtransfer.util.errors import UserError

MOST_CHOICES = 6
MOST_SHOWN = 4
MOST_NUMBERED = 20
"""More folders than this that are deeper down are probably patients, not classes."""

LeftOut = Given


def resolve_layout(
    root: Path, layout: Layout, given: Given | Collection[str] = frozenset(), labelled: bool = True
) -> Layout:
    """Return the layout if it is explicit; if it is `auto`, the one that is detected below its root.

    The files that `given` leaves out are ignored. If no labels are needed (`labelled` false) all images are read.
    """
    if layout.kind != "auto":
        return layout
    base = root / layout.root
    if not base.is_dir():
        raise UserError(f"data.layout.root: {layout.root} is not a folder of the set")
    if not labelled:
        return layout.model_copy(update={"kind": "images"})
    given = given if isinstance(given, Given) else Given(aside=frozenset(given))
    given = replace(given, aside=given.aside | given.joined(layout.root))
    found = detect_layout(base, given.below(layout.root))
    return found.model_copy(update={"root": str(PurePosixPath(layout.root) / found.root)})


def detect_layout(base: Path, left_out: Given) -> Layout:
    """Detect how the images below `base`, except those left out, are laid out.

    Only names, folders and CSVs are read, no pixels. Raises `UserError` if there are no images, if
    there are masks that are not named, if no layout is detected, and if several layouts fit: then it lists
    them.
    """
    files = [PurePosixPath(path.relative_to(base).as_posix()) for path in files_below(base)]
    files = [file for file in files if str(file) not in left_out.aside | left_out.unwanted]
    images = images_of(files)
    if not images:
        kinds = ", ".join(sorted({file.suffix.lower() or "no suffix" for file in files})[:MOST_CHOICES])
        raise UserError(f"{base}: expected images, but got {len(files)} files of other kinds ({kinds})")
    if pairs := mask_pairs(images):
        mask, image = pairs[0]
        raise UserError(
            f"{base}: {len(pairs)} of {len(images)} images are masks of others ({mask} of {image}): data.masks: auto "
            "packs them with their images; to do without them, name a data.layout that leaves them out"
        )
    everything = _detect(base, files)
    certain = [reading for reading in everything if reading.evidence == "certain"]
    if certain:
        roots = [reading.layout.root for reading in certain]
        explained = {image for image in images if any(image.is_relative_to(root) for root in roots)}
        rest = _detect(base, [file for file in files if file not in explained]) if len(explained) < len(images) else []
        readings = certain + _plausible(base, rest, left_out)
    else:
        readings = _plausible(base, everything, left_out)
    if len(readings) == 1 and readings[0].evidence != "certain":
        return _unless_contradicted(base, readings[0], everything, files, left_out)
    if len(readings) != 1:
        raise UserError(_refusal(base, readings, files, left_out))
    return readings[0].layout


def _unless_contradicted(
    base: Path, reading: Reading, others: Sequence[Reading], files: Sequence[PurePosixPath], left_out: LeftOut
) -> Layout:
    """Return the layout of a reading if nothing speaks against it; else raise `UserError` with the choices."""
    try:
        table = read_layout(base, reading.layout, left_out)
    except UserError:
        return reading.layout  # reading it again will say why
    evidence = Evidence(base, files, reading, table)
    found = objections(evidence)
    if not found:
        return reading.layout
    choices = [reading, *(other for other in others if other.layout != reading.layout)]
    if reading.layout.kind in DEEP_LAYOUTS:
        for level, names in deeper_levels(evidence):
            deeper = reading.layout.model_copy(update={"depth": reading.layout.depth + level})
            if len(names) <= MOST_NUMBERED and all(deeper != choice.layout for choice in choices):
                choices.append(Reading(deeper, "possible", tuple(names)))
    more = f" (and {len(found) - MOST_CHOICES} more)" if len(found) > MOST_CHOICES else ""
    raise UserError(f"data.layout: auto: {'; '.join(found[:MOST_CHOICES])}{more}; {_choices(base, choices, left_out)}")


def _detect(base: Path, files: Sequence[PurePosixPath]) -> list[Reading]:
    return [reading for layout in LAYOUTS.values() for reading in layout.detect(base, files)]


def _plausible(base: Path, readings: Sequence[Reading], left_out: LeftOut) -> list[Reading]:
    """Return the readings by the best evidence, and one of two that agree."""
    tables = [reading for reading in readings if reading.evidence == "named" and reading.layout.file]
    folders = [reading for reading in readings if reading.evidence == "named" and not reading.layout.file]
    possible = [reading for reading in readings if reading.evidence == "possible"]
    if tables:  # then folders that differ only in a number are parts of an archive
        folders = [reading for reading in folders if not only_numbered(reading.classes)]
    if len(folders) == len(tables) == 1 and (agreed := _agreed(base, folders[0], tables[0], left_out)):
        return [agreed]
    return folders + tables or possible


def _agreed(base: Path, folders: Reading, table: Reading, left_out: LeftOut) -> Reading | None:
    """Return one of two readings that agree on all labels: the one with splits, else the CSV for its other columns."""
    try:
        first, second = (read_layout(base, reading.layout, left_out) for reading in (folders, table))
    except UserError:
        return None
    if list(first["path"]) != list(second["path"]) or not same_partition(first["label"], second["label"]):
        return None
    return folders if first["split"].notna().any() and second["split"].isna().all() else table


def _refusal(base: Path, readings: Sequence[Reading], files: Sequence[PurePosixPath], left_out: LeftOut) -> str:
    if not readings:
        images, tables = images_of(files), tables_of_images(base, files)
        return (
            f"{base}: no layout is detected for {len(images)} images, the first being {images[0]}; expected folders "
            "of classes, or a CSV whose columns name images and labels; or name an explicit data.layout"
            + "".join(f"; {table}" for table in tables[:MOST_CHOICES])
        )
    return f"data.layout: auto: the set can be read in {len(readings)} ways; {_choices(base, readings, left_out)}"


def _choices(base: Path, readings: Sequence[Reading], left_out: LeftOut) -> str:
    """List the readings that work, each with its classes; and the first problem of those that do not, if none does."""
    shown, problems, failed = [], [], []
    for reading in readings:
        try:
            counts = read_layout(base, reading.layout, left_out)["label"].value_counts().sort_index()
        except UserError as error:
            problems += error.problems
            failed.append(f"{as_yaml(reading.layout)} cannot be read as the set is: {error.problems[0]}")
            continue
        names = ", ".join(f"{name} {count}" for name, count in counts[:MOST_SHOWN].items())
        shown.append(f"{as_yaml(reading.layout)} (classes {names}{', …' if len(counts) > MOST_SHOWN else ''})")
    if not shown:
        return f"none works as the set is, for {len(problems)} problems, such as: {problems[0]}"
    more = f" or {len(shown) - MOST_CHOICES} more" if len(shown) > MOST_CHOICES else ""
    return f"name one: data.layout: {' or '.join(shown[:MOST_CHOICES])}{more}" + "".join(
        f"; {line}" for line in failed[:1]
    )
