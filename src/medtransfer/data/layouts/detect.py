"""`data.layout: auto`: the one layout by which a set can be read, or an error that lists those that work."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.layouts import Reading
from medtransfer.data.layouts.choices import (
    any_columns,
    any_folders,
    deeper,
    detected_readings,
    moved_below,
    selections_of_rows,
    strays,
    together,
    within_parts,
    within_train,
)
from medtransfer.data.layouts.evidence import Evidence
from medtransfer.data.layouts.files import files_below, images_of, relative_to
from medtransfer.data.layouts.folder_objections import OF_FOLDERS, are_keys
from medtransfer.data.layouts.folders import are_patients, only_numbered
from medtransfer.data.layouts.image_tables import image_tables, same_partition
from medtransfer.data.layouts.mask_pairs import Pairs, excluding, mask_pairs
from medtransfer.data.layouts.namesakes import same_names
from medtransfer.data.layouts.read import Given, as_yaml, read_layout
from medtransfer.data.layouts.table_objections import OF_TABLES, unfit_targets
from medtransfer.data.layouts.unread import boxes_and_outlines, other_kinds, unread_images
from medtransfer.study import Layout
from medtransfer.study.data import DEEP_LAYOUTS
from medtransfer.util.errors import UserError
from medtransfer.util.text import counted

MOST_CHOICES = 6
REMEDY = "data.labels: {"
"""In a problem of labels that these parameters solve."""
BY_FOLDER = "data.split: {{method: published, folder: {}}}"
AT_RANDOM = " and data.split.method: random"
MOST_ASKED = 2
"""The most problems of one reading that are told with the others."""


@dataclass(frozen=True)
class Tried:
    """A reading, the table that it gives, and its problems.

    One with rows without an image, images without a row, or classes without images has both: its layout then leaves
    these out. split: the `data.split` that belongs to it.
    """

    reading: Reading
    table: pd.DataFrame | None
    problems: list[str]
    split: str = ""

    @property
    def sound(self) -> bool:
        """Whether the set can be read as it is."""
        return self.table is not None and not self.problems


def resolve_layout(root: Path, layout: Layout, given: Given | Collection[str] = frozenset()) -> Layout:
    """Return the layout if it is explicit; if it is `auto`, the one that is detected below its root.

    The files that `given` leaves out are ignored. If its target is masks, no labels are needed: all images are read.
    """
    if layout.kind != "auto":
        return layout
    base = root / layout.root
    if not base.is_dir():
        raise UserError(f"data.layout.root: {layout.root} is not a folder of the set")
    given = given if isinstance(given, Given) else Given(aside=frozenset(given))
    if given.target.per_pixel:
        images = layout.model_copy(update={"kind": "images"})
        reading = Reading(images, "certain")
        if reasons := list(same_names(Evidence(root, [], reading, read_layout(root, images, given)))):
            shown = f"name one: data.layout: {as_yaml(images)}, to read all of them"
            raise UserError(f"data.layout: auto: {'; '.join(reasons)}; {shown}")
        return images
    given = replace(given, aside=given.aside | given.joined(layout.root))
    return detect_layout(root, layout.root, given.below(layout.root))


def detect_layout(root: Path, start: str, left_out: Given) -> Layout:
    """Detect how the images below the folder `start` of a set, except those left out, are laid out.

    Only names, folders and tables are read, no pixels. Raises `UserError` if there are no images, if there are masks
    that are not named, if no layout is detected, if several fit, and if anything in the set contradicts the only one:
    then it lists the layouts that work.
    """
    base = root / start
    left = left_out.aside | left_out.unwanted
    files = [PurePosixPath(path) for path in relative_to(base, files_below(base)) if path not in left]
    images = images_of(files, base)
    offered = left_out.target.readings(base, files)
    everything = detected_readings(base, files) if offered is None else offered
    if not images and not everything:
        raise UserError(_no_images(base, files))
    if offered is not None:
        raise UserError(_question(base, start, offered, left_out))
    if pairs := mask_pairs(images):
        raise UserError(_unnamed_masks(base, images, pairs))
    readings = _plausible(base, files, images, everything)
    tried = _distinct([_try(base, reading, left_out) for reading in readings])
    if len(tried) == 1 and tried[0].sound:
        evidence = Evidence(base, files, tried[0].reading, _table(tried[0]), left_out.labels, start)
        reasons = [] if readings[0].evidence == "certain" else objections(evidence)
        if not reasons:
            return moved_below(start, tried[0].reading.layout)
        others = [reading for reading in everything if reading.layout != tried[0].reading.layout]
        tried += _instead(evidence, others, left_out)
    elif len(tried) == 1:
        doubts = [] if tried[0].table is None else objections(Evidence(base, files, tried[0].reading, tried[0].table))
        reasons = [*tried[0].problems, *doubts]
        others = [reading for reading in everything if reading.layout != readings[0].layout]
        others += selections_of_rows(base, images, readings[0])
        tried += [_try(base, reading, left_out) for reading in others]
        if not any(each.table is not None for each in tried):
            raise UserError(reasons)
    elif tried:
        readable = sum(each.table is not None for each in tried)
        reasons = [_problem_of(each) for each in tried if each.problems]
        reasons += [f"the set can be read in {readable} ways"] if readable > 1 else []
        doubted = [Evidence(base, files, each.reading, each.table) for each in tried if each.table is not None]
        doubted = [evidence for evidence in doubted if objections(evidence)]
        tried += [_try(base, reading, left_out) for evidence in doubted for reading in within_train(evidence)]
        if whole := together([each.reading for each in tried]):
            at = len(PurePosixPath(start).parts) + whole.layout.depth
            tried.append(replace(_try(base, whole, left_out), split=f" and {BY_FOLDER.format(at)}"))
    else:
        further = (boxes_and_outlines(base, files), strays(base, start, files, images))
        reasons = [_nothing_detected(base, images), *filter(None, further)]
        tried = [_try(base, reading, left_out) for reading in any_folders(images)]
    reasons = [*reasons[:1], *unfit_targets(image_tables(base, files)), *reasons[1:]]
    if not any(each.table is not None for each in tried):
        tried += [_try(base, reading, left_out) for reading in any_columns(base, files)]
    raise UserError(_refusal(start, reasons, tried, left_out))


def _question(base: Path, start: str, offered: Sequence[Reading], left_out: Given) -> str:
    """Return the error line that asks which of the readings that a target offers is meant."""
    tried = [_try(base, reading, left_out) for reading in offered]
    reasons = [f"the {left_out.target.noun} are not detected" + ("" if offered else "; no table fits")]
    reasons += dict.fromkeys(line for each in tried if each.table is None for line in each.problems[:MOST_ASKED])
    return _refusal(start, reasons, tried, left_out)


def _instead(evidence: Evidence, others: Sequence[Reading], left_out: Given) -> list[Tried]:
    """Try the readings that may be meant in place of a doubtful one."""
    readings = [*others, *deeper(evidence), *within_train(evidence)]
    tried = [_try(evidence.base, reading, left_out) for reading in readings]
    if any(each.table is not None for each in tried):
        return tried
    return [_try(evidence.base, reading, left_out) for reading in within_parts(evidence)]


def objections(evidence: Evidence) -> list[str]:
    """Return a sentence for each thing that speaks against a reading: `auto` accepts one only if nothing does."""
    checks = OF_TABLES if evidence.reading.layout.file else OF_FOLDERS
    return [line for check in (*checks, unread_images) for line in check(evidence)]


def _plausible(
    base: Path, files: Sequence[PurePosixPath], images: Sequence[PurePosixPath], everything: Sequence[Reading]
) -> list[Reading]:
    """Return the readings with the best evidence; those that are certain, and those of the images that they leave."""
    certain = [reading for reading in everything if reading.evidence == "certain"]
    if certain:
        roots = [reading.layout.root for reading in certain]
        explained = {image for image in images if any(image.is_relative_to(root) for root in roots)}
        rest = [file for file in files if file not in explained] if len(explained) < len(images) else []
        return certain + _plausible(base, rest, images_of(rest, base), detected_readings(base, rest))
    tables = [reading for reading in everything if reading.evidence == "named" and reading.layout.file]
    folders = [reading for reading in everything if reading.evidence == "named" and not reading.layout.file]
    keys = frozenset(chain.from_iterable(reading.keys for reading in everything))
    folders = [reading for reading in folders if not (keys and are_keys(reading.classes, keys))]
    if tables:  # then folders that differ only in a number are parts of an archive
        folders = [reading for reading in folders if not only_numbered(reading.classes)]
    if len(folders) > 1:
        folders = [reading for reading in folders if not are_patients(reading.classes)]
    return folders + tables or [reading for reading in everything if reading.evidence == "possible"]


def _try(base: Path, reading: Reading, left_out: Given) -> Tried:
    problems: list[str] = []
    layout = reading.layout
    may_drop = layout.kind in DEEP_LAYOUTS or (layout.file and layout.kind != "npz")
    dropping = [layout.model_copy(update={"missing": "drop"})] if may_drop else []
    for each in (layout, *dropping):
        try:
            table = read_layout(base, each, left_out)
        except UserError as error:
            problems = problems or error.problems
            continue
        return Tried(Reading(each, reading.evidence, reading.classes), table, problems)
    return Tried(reading, None, problems)


def _distinct(tried: Sequence[Tried]) -> list[Tried]:
    """Keep one of the readings that agree on every label: one with splits, else a table for its other columns."""
    kept: list[Tried] = []
    for each in sorted(tried, key=lambda each: (each.table is None or _table(each)["split"].isna().all(),
                                                each.reading.layout.file is None)):  # fmt: skip
        if not (each.sound and any(_agree(_table(each), _table(other)) for other in kept if other.sound)):
            kept.append(each)
    return sorted(kept, key=lambda each: next(at for at, other in enumerate(tried) if other is each))


def _agree(first: pd.DataFrame, second: pd.DataFrame) -> bool:
    one, other = first["split"], second["split"]
    same_splits = one.isna().all() or other.isna().all() or one.equals(other)
    return (
        list(first["path"]) == list(second["path"]) and same_splits and same_partition(first["label"], second["label"])
    )


def _problem_of(tried: Tried) -> str:
    """Return the first problem of one of several readings, of `data.labels` without what would solve that one alone."""
    problem, column = tried.problems[0], tried.reading.layout.label
    return f"by {column!r} {problem.partition('; to ')[0]}" if column and REMEDY in problem else problem


def _table(tried: Tried) -> pd.DataFrame:
    assert tried.table is not None
    return tried.table


def _no_images(base: Path, files: Sequence[PurePosixPath]) -> str:
    if kinds := other_kinds(files):
        remedy = "unpack archives, and save other files as PNG"
        return f"{base}: expected images, but got {', '.join(kinds)}, which are not read; {remedy}"
    suffixes = ", ".join(sorted({file.suffix.lower() or "no suffix" for file in files})[:MOST_CHOICES])
    return f"{base}: expected images, but got {counted(len(files), 'file')} of other kinds ({suffixes})"


def _unnamed_masks(base: Path, images: Sequence[PurePosixPath], pairs: Pairs) -> str:
    mask, image = pairs[0]
    patterns = excluding(pairs, images)
    without = f"; to leave them out: data.files: {{exclude: {json.dumps(patterns)}}}" if patterns else ""
    return (
        f"{base}: {len(pairs)} of {len(images)} images are masks of others ({mask} of {image}); to pack them with "
        f"their images: data.masks: auto{without}"
    )


def _nothing_detected(base: Path, images: Sequence[PurePosixPath]) -> str:
    return (
        f"no layout is detected for {counted(len(images), 'image')}, the first being {images[0]}; expected folders of "
        "at least two classes, or a table whose columns name images and labels"
    )


def _refusal(start: str, reasons: Sequence[str], tried: Sequence[Tried], given: Given) -> str:
    """Return one line with the reasons and the readings that work, each with its labels."""
    more = f" (and {len(reasons) - MOST_CHOICES} more)" if len(reasons) > MOST_CHOICES else ""
    shown: dict[str, str] = {}
    for each in tried:
        if each.table is not None and given.target.may_be_split(each.table["label"]):
            unsplit = given.published and each.table["split"].isna().all()
            labels = f" ({given.target.described(each.table['label'])})"
            split = each.split or (AT_RANDOM if unsplit else "")
            shown.setdefault(as_yaml(moved_below(start, each.reading.layout)), f"{split}{labels}")
    choices = f"name one: data.layout: {' or '.join(layout + shown[layout] for layout in list(shown)[:MOST_CHOICES])}"
    if not shown:
        choices = "no layout fits the set as it is; name images and labels in a CSV of two columns, image and label"
        if any(REMEDY in reason for reason in reasons):
            choices = "the layouts that then fit are listed next"
    elif len(shown) > MOST_CHOICES:
        choices += f" or {len(shown) - MOST_CHOICES} more"
    return f"data.layout: auto: {'; '.join(reasons[:MOST_CHOICES])}{more}; {choices}"
