"""From a published set to the prepared one: read, decode, group, split and audit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.data.audit.audit import audit_of
from medtransfer.data.audit.inverted_masks import inverted_masks_warning
from medtransfer.data.audit.leakage import Crossing, pass_gate, resolve_leakage
from medtransfer.data.audit.near_duplicates import near_duplicate_pairs
from medtransfer.data.audit.page import audit_page
from medtransfer.data.audit.pairs import sibling_pairs, write_pair_figure
from medtransfer.data.audit.shortcuts import Shortcut, find_shortcut
from medtransfer.data.catalogue import find_entry
from medtransfer.data.catalogue.fit import as_described, check_fit, summary_of
from medtransfer.data.corrections import LEFT_OUT, correct_labels
from medtransfer.data.groups import group_keys, join_groups, lone_warning, number_warning
from medtransfer.data.images.decode import readable
from medtransfer.data.images.pack import missing_masks, pack, pack_masks, repack
from medtransfer.data.images.packed import open_packed
from medtransfer.data.images.spacing import MILLIMETRES, PIXELS, pixel_sides, read_spacing
from medtransfer.data.layouts.copies import find_copies
from medtransfer.data.layouts.describe import Aside, describe_set, sample_rows, samples_as_text
from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.files import images_of
from medtransfer.data.layouts.label_csv import EMPTIED
from medtransfer.data.layouts.named_masks import find_masks
from medtransfer.data.layouts.read import Given, as_yaml, read_rows
from medtransfer.data.layouts.unused_masks import unused_masks
from medtransfer.data.prepared import ABOUT, COLUMNS, IMAGES, MASKS, PIXEL, TABLE, VALUE, Prepared
from medtransfer.data.proposals import propose_groups
from medtransfer.data.published import propose_split, published_split
from medtransfer.data.selection import Dropped, unwanted_files
from medtransfer.data.selection import summary_of as summary_of_dropped
from medtransfer.data.split import assign_splits
from medtransfer.data.targets import TARGETS, Encoded, Target
from medtransfer.data.targets.target import COUNTED, STRATA
from medtransfer.study import Data, Layout
from medtransfer.util.errors import UserError
from medtransfer.util.files import atomic_file, atomic_folder, sha256_of_file, write_json, write_text
from medtransfer.util.places import Places, state_folder
from medtransfer.util.text import counted

LEAKING = "leaking_images.png"
"""The figure, in the state folder, of the images at which `data.leakage: fail` stopped."""

AS_READ = "as read"
"""The column of labels before they are encoded."""

EXCLUDED, LABEL = "excluded by data.files", "with a label that data.labels leaves out"
ROWLESS = "without a row in the table of labels"
MASKLESS, UNREADABLE = "without a mask", "unreadable, or with an unreadable mask"
CONTRADICTORY, LEAK = "copies of one image with contradictory labels", "leaking into another split"
FEWER = "beyond data.split.train_images"
LATER = (UNREADABLE, CONTRADICTORY, LEAK, FEWER)
"""Why images are left out."""


@dataclass
class Reading:
    """How a set was read: its rows (path, label, split, key), masks and layout, and what was left out, by reason.

    as_read: the description of the set and three sample rows, for the audit. encoded: the labels as they are learned;
    the rows have them as displayed in label, as read in answer, and further columns of the target.
    """

    rows: pd.DataFrame
    masks: dict[str, list[str]]
    layout: Layout
    dropped: Dropped
    notes: list[str]
    as_read: dict[str, Any]
    encoded: Encoded
    columns: pd.DataFrame


def prepare(
    raw: Path,
    data: Data,
    seed: int,
    places: Places,
    task: str = "classification",
    kind: str = "classes",
    further: Callable[[Sequence[str]], list[str]] = lambda _: [],
) -> dict[str, Any]:
    """Write the prepared set, its audit, its audit page and the figure of its duplicates; return the audit.

    task, kind: the name of the task, and of the target in `TARGETS` that it predicts. further: lists what else is wrong
    if the set has these exclusive classes.
    First, how the layout of the set was understood is printed for the user to confirm.
    Images of one group key, exact duplicates and near duplicates form one group. Raises
    `UserError` with all problems of the layout, or else those of the groups, or all unreadable images, or all
    unreadable masks, or all contradictory labels, or those of the leakage gate and the splits; then nothing is written,
    except the figure of the leakage gate.
    """
    entry = None if data.dataset is None else find_entry(data.dataset)
    target = TARGETS[kind]
    with as_described(entry):
        reading = read_set(raw, data, target, places.root)
    if reading.encoded.classes and (problems := further(reading.encoded.classes)):
        raise UserError(problems)
    known = None if entry is None else summary_of(entry, check_fit(entry, reading.rows, data))
    with atomic_folder(places.prepared) as folder:
        whole = pack_rows(raw, data, reading, folder)
        whole, contradictions = settle(whole, data, reading, folder, target)
        packed = open_packed(folder / IMAGES)
        near = near_duplicate_pairs(packed, list(whole["sha256"]))
        pairs = sibling_pairs(whole, near)
        whole["group"] = join_groups(whole["key"], pairs)
        crossing = pass_gate(whole, pairs, packed, data, state_folder() / LEAKING)
        table, notes = _split(whole, data, seed, crossing, reading.dropped, target)
        for line in _lines_of({reason: reading.dropped.get(reason, []) for reason in LATER}):
            print(line, flush=True)  # noqa: T201
        write_pair_figure(packed, whole, pairs, places.duplicates)
        shortcuts = _shortcuts(table, data, crossing, seed)
        warnings = set_warnings(data, reading.notes, shortcuts)
        warnings += [*number_warning(whole, data.group), *lone_warning(whole, data.group), *contradictions, *notes]
        warnings += [] if entry is None else entry.warnings(published=data.split.method == "published")
        if data.masks and data.masks.classes is None:
            warnings += inverted_masks_warning(open_packed(folder / MASKS), data.masks.class_names)
        _store(table, whole, data, folder, reading.encoded, {"task": task, "per_pixel": target.per_pixel}, warnings)
    audit = {"layout": as_yaml(reading.layout), **reading.as_read} | ({} if known is None else {"known": known})
    audit |= audit_of(Prepared(places.prepared), whole, near, crossing, shortcuts, reading.dropped)
    write_columns(reading.columns, Prepared(places.prepared), places.columns)
    write_json(places.audit, audit)
    write_text(places.audit_page, audit_page(audit))
    return audit


def write_columns(columns: pd.DataFrame, prepared: Prepared, target: Path) -> None:
    """Write all columns that the tables of a set have on its images, as text, in the order of the prepared ones."""
    kept = columns.set_index("path").reindex(prepared.table["path"]).fillna("").astype(str).reset_index()
    with atomic_file(target) as temporary:
        kept.to_parquet(temporary, index=False)


def set_warnings(data: Data, notes: Sequence[str], shortcuts: list[Shortcut]) -> list[str]:
    """Return warnings for every table made from the set: simulated images, no group key, and strong shortcuts."""
    warnings = []
    if data.source == "phantom":
        warnings.append("SIMULATION: these images are simulated; results on them say nothing about patients")
    if data.group is None:
        warnings.append(
            "NO GROUP KEY: images of one patient may be on both sides of a split; "
            "intervals treat all images but copies of one another as independent"
        )
    return [*warnings, *notes, *(shortcut.warning() for shortcut in shortcuts if shortcut.strong)]


def read_set(raw: Path, data: Data, target: Target, root: Path = Path()) -> Reading:
    """Read the set and its groups, and print how it was understood; `root` is the folder of the study."""
    base = data.layout.root
    unwanted = frozenset(unwanted_files(raw, data.files))
    copies = find_copies(raw, base, unwanted)
    masks = find_masks(raw, base, data.masks, unwanted | copies.keys()) if data.masks else {}
    unused = {} if target.per_pixel or data.masks else unused_masks(raw, base, unwanted | copies.keys())
    aside = frozenset(chain(copies, unused, *masks.values()))
    given = Given(aside, unwanted, data.labels, tuple(data.tables), target, data.split.of_layout)
    layout = resolve_layout(raw, data.layout, given)
    found = read_rows(raw, layout, given)
    left_out: list[str] = []
    corrections: dict[str, Any] | None = None
    if data.labels.corrections is not None:
        elsewhere = [*found.dropped, *found.without_row]
        file = root / data.labels.corrections
        table, left_out, corrections = correct_labels(found.table, file, target, elsewhere)
        found = replace(found, table=table)
    excluded = list(map(str, images_of(map(PurePosixPath, sorted(unwanted)), raw)))
    dropped: Dropped = {EXCLUDED: excluded, LABEL: found.dropped, LEFT_OUT: left_out, ROWLESS: found.without_row}
    split, notes = published_split(raw, layout.root, found, data.split, set(chain(*dropped.values(), copies)))
    encoded = target.encode(found.table["label"], data)
    rows = found.table[["path"]].assign(split=split, key=group_keys(raw, found, data.group))
    rows = rows.assign(
        **{"label": encoded.labels, STRATA: encoded.strata, AS_READ: target.answers(found.table["label"])}
    )
    if encoded.counted is not None:
        rows[COUNTED] = encoded.counted
    rows[[f"{VALUE}{number}" for number in range(len(encoded.names))]] = encoded.values
    if data.masks:
        maskless = missing_masks(list(rows["path"]), masks, data.masks)
        if maskless.all():
            raise UserError(f"data.masks.missing: drop leaves no image, because none of {len(rows)} has a mask")
        dropped[MASKLESS] = list(rows["path"][maskless])
        rows = rows[~maskless].reset_index(drop=True)
    others = Aside(masks, copies, unused, given)
    lines = describe_set(raw, layout, rows, others, found.without_image).splitlines()
    lines += [f"labels   of {line}" for line in found.keyed]
    if data.split.lists is None and found.table["split"].isna().any() and data.split.column is None:
        lines += [f"split    {line}" for line in propose_split(raw, layout, found.table, unwanted)]
    if found.emptied:
        lines.append(f"emptied  {len(found.emptied):,} with findings in data.labels.drop alone: now without a finding")
    lines += [f"order    {' < '.join(encoded.classes)}"] * target.ordered + _more(rows, data, dropped)
    shown = rows.assign(label=rows[AS_READ].astype(str))
    samples = sample_rows(shown, None if data.group is None else rows["key"], masks, lambda path: readable(raw / path))
    print("\n".join([*lines, "", *samples_as_text(samples)]), flush=True)  # noqa: T201
    proposals = propose_groups(raw, found.table, unwanted) if data.group is None else []
    notes = [*proposals, *notes]
    about = {"description": lines, "sample": samples} | ({} if corrections is None else {"corrections": corrections})
    about |= {"emptied": summary_of_dropped({EMPTIED: found.emptied})} if found.emptied else {}
    return Reading(rows, masks, layout, dropped, notes, about, encoded, found.table)


def _more(rows: pd.DataFrame, data: Data, dropped: Dropped) -> list[str]:
    """Describe the groups and what is left out, as `describe_set` does the rest."""
    lines = []
    if data.group is not None:
        sizes = rows["key"].value_counts().sort_index()
        examples = ", ".join(f"{key} ({size})" for key, size in sizes.head(3).items())
        lines.append(f"groups   {len(sizes):,}, such as {examples}")
    if data.split.method != "published" and rows["split"].notna().any():
        lines.append(f"unused   the published split: data.split.method is {data.split.method}")
    return [*_lines_of(dropped), *lines]


def _lines_of(dropped: Dropped) -> list[str]:
    return [f"dropped  {len(paths):,} {reason}" for reason, paths in dropped.items() if paths]


def pack_rows(raw: Path, data: Data, reading: Reading, folder: Path) -> pd.DataFrame:
    """Pack the pixels of all rows, and their masks if there are any; return the rows with properties of the files."""
    drop, rows = data.unreadable == "drop", reading.rows
    with _remedy_of_unreadable(len(rows), drop):
        images = pack(raw, list(rows["path"]), data.image_size, data.resize, folder / IMAGES, drop)
    reading.dropped[UNREADABLE] = list(rows["path"].drop(images.index))
    whole = rows.loc[images.index].join(images).reset_index(drop=True)
    if data.masks:
        with _remedy_of_unreadable(len(whole), drop):
            kept = pack_masks(raw, whole, reading.masks, data.masks, data.image_size, data.resize, folder / MASKS, drop)
        whole = keep_rows(whole, kept, [folder / IMAGES], reading.dropped, UNREADABLE)
        whole[list(PIXEL)] = pixel_sides(whole, data.image_size, data.resize)
        if data.masks.spacing is not None:
            spacing = read_spacing(raw, data.layout.root, data.masks.spacing, list(whole["path"]))
            whole[list(PIXEL)] *= spacing[:, None]
    return whole


@contextmanager
def _remedy_of_unreadable(images: int, drop: bool) -> Iterator[None]:
    """Add to the lines about unreadable files of some of the images how to leave these out."""
    try:
        yield
    except UserError as error:
        count = sum(": unreadable: " in line for line in error.problems)
        if drop or count in (0, images):
            raise
        remedy = f"set data.unreadable: drop to leave them out: {count:,} of {counted(images, 'image')}"
        raise UserError([*error.problems, remedy]) from None


def keep_rows(
    whole: pd.DataFrame, kept: np.ndarray, arrays: Sequence[Path], dropped: Dropped, reason: str
) -> pd.DataFrame:
    """Keep rows, bool [rows], of a table and of packed arrays; the others are recorded as left out."""
    if kept.all():
        return whole
    if not kept.any():
        raise UserError(f"no image is left: all {len(whole)} are {reason}")
    dropped.setdefault(reason, []).extend(whole["path"][~kept])
    for array in arrays:
        repack(array, np.flatnonzero(kept))
    return whole[kept].reset_index(drop=True)


def settle(
    whole: pd.DataFrame, data: Data, reading: Reading, folder: Path, target: Target
) -> tuple[pd.DataFrame, list[str]]:
    """Treat copies of one image with different labels, or masks, as `data.contradictions` says; return warnings."""
    arrays = [folder / name for name in ((IMAGES, MASKS) if data.masks else (IMAGES,))]
    answers = whole[AS_READ]
    if target.per_pixel:
        answers = pd.Series([hashlib.sha256(mask.tobytes()).hexdigest() for mask in open_packed(folder / MASKS)])
    what = target.noun
    wrong = answers.groupby(whole["sha256"]).transform("nunique") > 1
    if not wrong.any():
        return whole, []
    of_them = whole[wrong].sort_values(["sha256", "path"])
    sentence = (
        f"{counted(of_them['sha256'].nunique(), 'image')} with several {what}, in {len(of_them)} of "
        f"{len(whole)} files, such as {' and '.join(of_them['path'][:2])}"
    )
    if data.contradictions == "fail":
        raise UserError(
            f"data.contradictions: fail, and there is {sentence}; drop leaves all of them out, report continues and "
            "marks every table; data.files: {exclude: […]} leaves the wrong ones out"
        )
    if data.contradictions == "report":
        return whole, [f"CONTRADICTORY {what.upper()}: {sentence}"]
    return keep_rows(whole, ~wrong.to_numpy(), arrays, reading.dropped, CONTRADICTORY), []


def _split(
    table: pd.DataFrame, data: Data, seed: int, crossing: Crossing | None, dropped: Dropped, target: Target
) -> tuple[pd.DataFrame, list[str]]:
    split, every = data.split, table
    warnings: list[str] = []
    if crossing is not None:
        whole = table
        table, split, warnings = resolve_leakage(table, data, crossing)
        dropped[LEAK] = _missing_from(table, whole)
    if split.method == "published" and (problems := target.published_problems(table, data.labels)):
        raise UserError(problems)
    whole = table
    table, notes = assign_splits(table, split, seed)
    dropped[FEWER] = _missing_from(table, whole)
    if problems := target.split_problems(table, every):
        raise UserError(problems)
    return table, warnings + notes


def _missing_from(table: pd.DataFrame, whole: pd.DataFrame) -> list[str]:
    return list(whole["path"][~whole["path"].isin(table["path"])])


def _shortcuts(table: pd.DataFrame, data: Data, crossing: Crossing | None, seed: int) -> list[Shortcut]:
    """Measure what the appearance of images reveals of their class and, if test images are as published, of them."""
    targets = {"class": table["label"]}
    if crossing is not None and not (crossing.groups and data.leakage == "regroup"):
        targets["test"] = table["split"] == "test"
    found = [find_shortcut(table, target, labels, seed) for target, labels in targets.items()]
    return [shortcut for shortcut in found if shortcut is not None]


def _store(
    table: pd.DataFrame,
    whole: pd.DataFrame,
    data: Data,
    folder: Path,
    encoded: Encoded,
    predicted: dict[str, Any],
    warnings: list[str],
) -> None:
    """Write the table of the rows in use, keep only their pixels, and describe both."""
    if len(table) < len(whole):
        rows = whole.index[whole["path"].isin(table["path"])].to_numpy()
        for name in (IMAGES, MASKS) if data.masks else (IMAGES,):
            repack(folder / name, rows)
    order = encoded.classes or sorted(whole["label"].unique())
    table["label_index"] = table["label"].map({label: index for index, label in enumerate(order)})
    values = [name for name in table if str(name).startswith(VALUE)]
    table[[*COLUMNS, *values, *(PIXEL if data.masks else ())]].to_parquet(folder / TABLE, index=False)
    about = {
        **predicted,
        "classes": list(encoded.classes),
        "image_size": data.image_size,
        "resize": data.resize,
        "folds": max(int(table["fold"].max()) + 1, 1),
        "grouped": data.group is not None,
        "pixels_sha256": sha256_of_file(folder / IMAGES),
        "table_sha256": sha256_of_file(folder / TABLE),
        "warnings": warnings,
    }
    if encoded.names:
        about["outputs"] = list(encoded.names)
        about["unit"] = data.unit or ""
    if data.masks:
        about["masks"] = {
            "classes": data.masks.class_names,
            "sha256": sha256_of_file(folder / MASKS),
            "unit": PIXELS if data.masks.spacing is None else MILLIMETRES,
        } | ({} if data.masks.ignore is None else {"ignores": True})
    write_json(folder / ABOUT, about)
