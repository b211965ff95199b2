"""Readings that may be meant where none is clear: what `data.layout: auto` offers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from glob import escape
from pathlib import Path, PurePosixPath

from medtransfer.data.layouts import LAYOUTS, Reading
from medtransfer.data.layouts.evidence import Evidence
from medtransfer.data.layouts.files import images_of, shared_start, split_of, words
from medtransfer.data.layouts.folder_objections import deeper_levels
from medtransfer.data.layouts.image_tables import OTHER_WORDS, image_tables
from medtransfer.data.layouts.label_csv import FEW, MOST_EXCLUDED, row_selections
from medtransfer.data.layouts.label_tables import folders_of_images
from medtransfer.study import Layout
from medtransfer.study.data import DEEP_LAYOUTS
from medtransfer.util.text import counted

MOST_NUMBERED = 20
"""More folders than this that are deeper down are probably patients, not classes."""
MOST_VALUES = 12
"""A column of more values is not offered as a label if its name does not suggest it."""


def moved_below(start: str, layout: Layout) -> Layout:
    """Return a layout of the files below the folder `start` as one of the whole set."""
    return layout.model_copy(update={"root": str(PurePosixPath(start) / layout.root)})


def detected_readings(base: Path, files: Sequence[PurePosixPath]) -> list[Reading]:
    """Return the readings of all layouts for files, relative to `base`."""
    return [reading for layout in LAYOUTS.values() for reading in layout.detect(base, files)]


def deeper(evidence: Evidence) -> list[Reading]:
    """Return the readings in which folders further down are the classes."""
    layout = evidence.reading.layout
    if layout.kind not in DEEP_LAYOUTS:
        return []
    return [
        Reading(layout.model_copy(update={"depth": layout.depth + level}), "possible", tuple(names))
        for level, names in deeper_levels(evidence)
        if len(names) <= MOST_NUMBERED
    ]


def within_train(evidence: Evidence) -> list[Reading]:
    """Return the readings of the training images alone: choices if those of other splits are laid out otherwise."""
    base, files = evidence.base, evidence.files
    if evidence.reading.layout.kind != "split_folders":
        return []
    places = {
        file.parts[:at] for file in files for at, name in enumerate(file.parts[:-1], 1) if split_of(name) == "train"
    }
    return [reading for place in sorted(places) for reading in _within(base, files, PurePosixPath(*place))]


def together(readings: Sequence[Reading]) -> Reading | None:
    """Return the reading of several parts of a set, each with the same classes in splits of its own, as one."""
    layouts = [reading.layout for reading in readings if reading.layout.kind == "split_folders"]
    levels = {(len(PurePosixPath(layout.root).parts), layout.depth) for layout in layouts}
    if not 1 < len(layouts) == len(readings) or len(levels) > 1 or len({each.classes for each in readings}) > 1:
        return None
    ((above, depth),) = levels
    return Reading(Layout(kind="class_folders", depth=above + 1 + depth), "possible", readings[0].classes)


def within_parts(evidence: Evidence) -> list[Reading]:
    """Return the readings of each of the classes alone, in case these are parts of which one has the classes."""
    layout = evidence.reading.layout
    if layout.kind != "class_folders" or len(evidence.labels) > MOST_NUMBERED:
        return []
    places = {PurePosixPath(*path.parts[: len(PurePosixPath(layout.root).parts) + 1]) for path, _ in evidence.rows}
    return [reading for place in sorted(places) for reading in _within(evidence.base, evidence.files, place)]


def _within(base: Path, files: Sequence[PurePosixPath], folder: PurePosixPath) -> list[Reading]:
    inside = [file.relative_to(folder) for file in files if file.is_relative_to(folder)]
    found = detected_readings(base / folder, inside)
    return [replace(reading, layout=moved_below(str(folder), reading.layout)) for reading in found]


def selections_of_rows(base: Path, images: Sequence[PurePosixPath], reading: Reading) -> list[Reading]:
    """Return the readings of the rows of one reader, if those of several readers differ in a table."""
    if reading.layout.kind != "label_csv":
        return []
    layouts = row_selections(base, reading.layout, [base / image for image in images])
    return [replace(reading, layout=layout) for layout in layouts]


def any_folders(images: Sequence[PurePosixPath]) -> list[Reading]:
    """Return the reading of the first folders that differ as classes, even if they are named like splits."""
    shared = PurePosixPath(*shared_start([image.parts[:-1] for image in images]))
    return [Reading(Layout(kind="class_folders", root=str(shared)), "possible")]


def strays(base: Path, start: str, files: Sequence[PurePosixPath], images: Sequence[PurePosixPath]) -> str:
    """Return how to leave out a few images that are beside folders of images, if these then are recognised."""
    above = {parent for image in images for parent in image.parent.parents}
    strays = [image for image in images if image.parent in above]
    if not 0 < len(strays) <= min(MOST_EXCLUDED, FEW * len(images)):
        return ""
    if not detected_readings(base, [file for file in files if file not in strays]):
        return ""
    patterns = json.dumps([escape(str(PurePosixPath(start) / image)) for image in strays], ensure_ascii=False)
    return (
        f"{counted(len(strays), 'image')} beside folders of images, such as {strays[0]}; to leave them out: "
        f"data.files: {{exclude: {patterns}}}"
    )


def any_columns(base: Path, files: Sequence[PurePosixPath]) -> list[Reading]:
    """Return a reading for each column of few values of each table: choices for a set without any evidence."""
    found = []
    for table in image_tables(base, files):
        if table.is_submission:
            continue
        columns = [
            name
            for name in table.others
            if 1 < table.others[name].nunique() <= MOST_VALUES and not OTHER_WORDS.intersection(words(name))
        ]
        for folder in folders_of_images(table, images_of(files, base)) if columns else []:
            fields = {"kind": "label_csv", "file": str(table.file), "image": table.image, "images": folder}
            found += [Reading(Layout.model_validate(fields | {"label": name}), "possible") for name in columns]
    return found
