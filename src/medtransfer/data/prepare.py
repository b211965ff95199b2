"""From a published set to the prepared one: read, decode, group, split and audit."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any, TypedDict

import pandas as pd

from medtransfer.data.audit.audit import audit_of
from medtransfer.data.audit.leakage import Crossing, pass_gate, resolve_leakage
from medtransfer.data.audit.near_duplicates import near_duplicate_pairs
from medtransfer.data.audit.page import audit_page
from medtransfer.data.audit.pairs import sibling_pairs, write_pair_figure
from medtransfer.data.audit.shortcuts import Shortcut, find_shortcut
from medtransfer.data.catalogue import find_entry
from medtransfer.data.catalogue.fit import as_described, check_fit, summary_of
from medtransfer.data.groups import group_keys, join_groups, propose_groups
from medtransfer.data.images.pack import missing_masks, pack, pack_masks, repack
from medtransfer.data.images.packed import open_packed
from medtransfer.data.images.spacing import MILLIMETRES, PIXELS, pixel_sides, read_spacing
from medtransfer.data.layouts.copies import find_copies
from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.mask_pairs import find_masks
from medtransfer.data.layouts.read import as_yaml, describe_set, read_layout
from medtransfer.data.prepared import ABOUT, COLUMNS, IMAGES, MASKS, PIXEL, TABLE, Prepared
from medtransfer.data.split import assign_splits
from medtransfer.study import Data, Layout
from medtransfer.util.errors import UserError
from medtransfer.util.files import atomic_folder, sha256_of_file, write_json, write_text
from medtransfer.util.places import Places, state_folder
from medtransfer.util.text import counted

LEAKING = "leaking_images.png"
"""The figure, in the state folder, of the images at which `data.leakage: fail` stopped."""


class Target(TypedDict):
    """What is to be predicted: the name of the task, and whether it is a class for each pixel."""

    task: str
    per_pixel: bool


CLASSES = Target(task="classification", per_pixel=False)


def prepare(raw: Path, data: Data, seed: int, places: Places, target: Target = CLASSES) -> dict[str, Any]:
    """Write the prepared set, its audit, its audit page and the figure of its duplicates; return the audit.

    First, how the layout of the set was understood is printed for the user to confirm.
    Images of one group key, exact duplicates and near duplicates form one group. Raises
    `UserError` with all problems of the layout, or else those of the groups, or all unreadable images, or all
    unreadable masks, or those of the leakage gate and the splits; then nothing is written, except the figure of the
    leakage gate.
    """
    entry = None if data.dataset is None else find_entry(data.dataset)
    with as_described(entry):
        found, masks, layout = _read(raw, data, labelled=not target["per_pixel"])
        keys = group_keys(found, data.group)
    known = None if entry is None else summary_of(entry, check_fit(entry, found, data))
    found = found[["path", "label", "split"]]
    with atomic_folder(places.prepared) as folder:
        whole = _pack(raw, data, found, masks, folder).assign(key=keys)
        packed = open_packed(folder / IMAGES)
        near = near_duplicate_pairs(packed, list(whole["sha256"]))
        pairs = sibling_pairs(whole, near)
        whole["group"] = join_groups(keys, pairs)
        crossing = pass_gate(whole, pairs, packed, data, state_folder() / LEAKING)
        table, notes = _split(whole, data, seed, crossing)
        write_pair_figure(packed, whole, pairs, places.duplicates)
        shortcuts = _shortcuts(table, data, crossing, seed)
        warnings = [*set_warnings(data, list(found["path"]), shortcuts), *contradictions(whole), *notes]
        warnings += [] if entry is None else entry.warnings(published=data.split.method == "published")
        _store(table, whole, data, folder, warnings, target)
    audit = {"layout": as_yaml(layout)} | ({} if known is None else {"known": known})
    audit |= audit_of(Prepared(places.prepared), whole, near, crossing, shortcuts)
    write_json(places.audit, audit)
    write_text(places.audit_page, audit_page(audit))
    return audit


def set_warnings(data: Data, paths: list[str], shortcuts: list[Shortcut]) -> list[str]:
    """Return warnings for every table made from the set: simulated images, no group key, and strong shortcuts."""
    warnings = []
    if data.source == "phantom":
        warnings.append("SIMULATION: these images are simulated; results on them say nothing about patients")
    if data.group is None:
        warnings.append(
            "NO GROUP KEY: images of one patient may be on both sides of a split; "
            "intervals treat every image as independent"
        )
        warnings += propose_groups(paths)
    return warnings + [shortcut.warning() for shortcut in shortcuts if shortcut.strong]


def contradictions(table: pd.DataFrame) -> list[str]:
    """Return a warning if files of the same bytes (columns sha256, label) have different labels."""
    labels = table.groupby("sha256")["label"].nunique()
    wrong = table[table["sha256"].isin(labels.index[labels > 1])]
    if wrong.empty:
        return []
    return [
        f"CONTRADICTORY LABELS: {counted(wrong['sha256'].nunique(), 'image')} with several labels, in {len(wrong)} of "
        f"{len(table)} files, such as {' and '.join(wrong.sort_values(['sha256', 'path'])['path'][:2])}"
    ]


def _read(raw: Path, data: Data, labelled: bool) -> tuple[pd.DataFrame, dict[str, list[str]], Layout]:
    """Read the set, and print how it was understood; return its rows, the masks of each, and the explicit layout."""
    copies = find_copies(raw, data.layout.root) if data.layout.kind == "auto" else {}
    masks = find_masks(raw, data.layout.root, data.masks, copies.keys()) if data.masks else {}
    files = frozenset(chain(copies, *masks.values()))
    layout = resolve_layout(raw, data.layout, files, labelled)
    found = read_layout(raw, layout, files, least_classes=2 if labelled else 1)
    print(describe_set(raw, layout, found, masks, copies), flush=True)  # noqa: T201
    if data.split.method != "published" and found["split"].notna().any():
        print(f"unused   the published split: data.split.method is {data.split.method}", flush=True)  # noqa: T201
    if data.masks:
        found = found[~missing_masks(list(found["path"]), masks, data.masks)].reset_index(drop=True)
    return found, masks, layout


def _pack(raw: Path, data: Data, found: pd.DataFrame, masks: dict[str, list[str]], folder: Path) -> pd.DataFrame:
    """Pack the pixels of all rows, and their masks if there are any; return the rows with properties of the files."""
    images = pack(raw, list(found["path"]), data.image_size, data.resize, folder / IMAGES)
    whole = pd.concat([found, images], axis=1)
    if data.masks:
        pack_masks(raw, whole, masks, data.masks, data.image_size, data.resize, folder / MASKS)
        whole[list(PIXEL)] = pixel_sides(whole, data.image_size, data.resize)
        if data.masks.spacing is not None:
            spacing = read_spacing(raw, data.layout.root, data.masks.spacing, list(whole["path"]))
            whole[list(PIXEL)] *= spacing[:, None]
    return whole


def _split(table: pd.DataFrame, data: Data, seed: int, crossing: Crossing | None) -> tuple[pd.DataFrame, list[str]]:
    split, labels = data.split, set(table["label"])
    warnings: list[str] = []
    if crossing is not None:
        table, split, warnings = resolve_leakage(table, data, crossing)
    table, notes = assign_splits(table, split, seed)
    unlearned = labels - set(table["label"][table["split"].isin(("train", "rotating"))])
    if unlearned:
        raise UserError([f"data.split: class {label!r} has no training image" for label in sorted(unlearned)])
    tested = table["label"][table["split"].isin(("test", "rotating"))]
    if len(labels) > 1 and tested.nunique() == 1:
        raise UserError(
            f"data.split: all {len(tested)} test images are of class {tested.iloc[0]!r}, so no classes can be told "
            "apart; use random or kfold"
        )
    return table, warnings + notes


def _shortcuts(table: pd.DataFrame, data: Data, crossing: Crossing | None, seed: int) -> list[Shortcut]:
    """Measure what the appearance of images reveals of their class and, if test images are as published, of them."""
    targets = {"class": table["label"]}
    if crossing is not None and not (crossing.groups and data.leakage == "regroup"):
        targets["test"] = table["split"] == "test"
    found = [find_shortcut(table, target, labels, seed) for target, labels in targets.items()]
    return [shortcut for shortcut in found if shortcut is not None]


def _store(
    table: pd.DataFrame, whole: pd.DataFrame, data: Data, folder: Path, warnings: list[str], target: Target
) -> None:
    """Write the table of the rows in use, keep only their pixels, and describe both."""
    if len(table) < len(whole):
        rows = whole.index[whole["path"].isin(table["path"])].to_numpy()
        for name in (IMAGES, MASKS) if data.masks else (IMAGES,):
            repack(folder / name, rows)
    classes = sorted(whole["label"].unique())
    table["label_index"] = table["label"].map({label: index for index, label in enumerate(classes)})
    table[[*COLUMNS, *(PIXEL if data.masks else ())]].to_parquet(folder / TABLE, index=False)
    about = {
        **target,
        "classes": classes,
        "image_size": data.image_size,
        "resize": data.resize,
        "folds": max(int(table["fold"].max()) + 1, 1),
        "grouped": data.group is not None,
        "pixels_sha256": sha256_of_file(folder / IMAGES),
        "table_sha256": sha256_of_file(folder / TABLE),
        "warnings": warnings,
    }
    if data.masks:
        about["masks"] = {
            "classes": data.masks.class_names,
            "sha256": sha256_of_file(folder / MASKS),
            "unit": PIXELS if data.masks.spacing is None else MILLIMETRES,
        }
    write_json(folder / ABOUT, about)
