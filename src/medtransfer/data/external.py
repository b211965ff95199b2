"""Test sets from elsewhere: read and packed as the study's own set, and held against the images that it learns from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from numpy.lib.format import open_memmap
from PIL import Image

from medtransfer.data.audit.audit import audit_of
from medtransfer.data.audit.near_duplicates import near_duplicate_pairs
from medtransfer.data.audit.page import audit_page
from medtransfer.data.audit.pairs import sibling_pairs
from medtransfer.data.catalogue import find_entry
from medtransfer.data.catalogue.fit import as_described
from medtransfer.data.groups import join_groups, number_warning
from medtransfer.data.images.packed import Images, open_packed
from medtransfer.data.images.spacing import MILLIMETRES, PIXELS
from medtransfer.data.layouts.read import as_yaml
from medtransfer.data.prepare import LEAK, keep_rows, pack_rows, read_set, set_warnings, settle, write_columns
from medtransfer.data.prepared import ABOUT, COLUMNS, IMAGES, MASKS, PIXEL, TABLE, VALUE, Prepared
from medtransfer.data.selection import Dropped
from medtransfer.data.targets import TARGETS, Encoded
from medtransfer.study import Data, External
from medtransfer.util.errors import UserError, near
from medtransfer.util.files import atomic_folder, sha256_of_file, write_json, write_text
from medtransfer.util.text import counted, listed, yaml_word

AUDIT, AUDIT_PAGE = "data.json", "data.md"
MOST_SHOWN = 3
EXTERNAL_COLUMNS = "columns.parquet"
OWN_FIELD = re.compile(rf"\bdata\.(?=(?:{'|'.join(External.model_fields)})\b)")


def prepare_external(name: str, raw: Path, data: Data, home: Prepared, kind: str, target: Path) -> Prepared:
    """Write an external test set, with its audit, to the folder `target` in the form of the study's own set.

    raw: the files of the set. data: the study's section `data`, in which the set is `external.NAME`. kind: the name of
    what is predicted in `TARGETS`. The pixels have the channels, and the targets the classes or outputs, of the study's
    set. Raises `UserError` if the set cannot be read, if it has labels that the study does not know, or if images that
    the study learns from are among its images and `data.leakage` is `fail`; then nothing is written.
    """
    own = data.of_external(name)
    what = TARGETS["classes" if kind == "grades" else kind]
    entry = None if own.dataset is None else find_entry(own.dataset)
    try:
        with as_described(entry):
            reading = read_set(raw, own, what)
        columns, absent = _targets(reading.encoded, reading.rows, own, home)
        reading.rows[list(columns)] = columns
        with atomic_folder(target) as folder:
            whole = pack_rows(raw, own, reading, folder)
            match_channels(folder / IMAGES, int(home.images.shape[-1]))
            whole, contradictions = settle(whole, own, reading, folder, what)
            whole, leaks = _without_learned(whole, own, home, folder, reading.dropped)
            near = near_duplicate_pairs(open_packed(folder / IMAGES), list(whole["sha256"]))
            whole = whole.assign(split="test", fold=-1)
            whole["group"] = join_groups(whole["key"], sibling_pairs(whole, near))
            warnings = set_warnings(own, reading.notes, [])
            warnings += [*number_warning(whole, own.group), *contradictions, *leaks, *absent]
            warnings += [] if entry is None else entry.warnings(published=False)
            _store(whole, folder, home, [OWN_FIELD.sub(f"data.external.{name}.", warning) for warning in warnings])
            write_columns(reading.columns, Prepared(folder), folder / EXTERNAL_COLUMNS)
            description = [line.replace(str(raw), own.folder) for line in reading.as_read["description"]]
            audit = {"layout": as_yaml(reading.layout), **reading.as_read, "description": description}
            audit |= audit_of(Prepared(folder), whole, near, None, [], reading.dropped)
            write_json(folder / AUDIT, audit)
            write_text(folder / AUDIT_PAGE, audit_page(audit))
    except UserError as error:
        raise UserError([_placed(problem, name) for problem in error.problems]) from None
    return Prepared(target)


def _placed(problem: str, name: str) -> str:
    """Say of a problem that it is one of an external set, and of a field of `data` that the set has its own."""
    own = OWN_FIELD.sub(f"data.external.{name}.", problem)
    return own if own != problem else f"data.external.{name}: {problem}"


def _targets(encoded: Encoded, rows: pd.DataFrame, own: Data, home: Prepared) -> tuple[pd.DataFrame, list[str]]:
    """Return the columns of targets as the study's own set has them, and a warning of what the external set lacks.

    Raises `UserError` if the external set has what the study does not know.
    """
    if home.target_masks is not None:
        names, known = own.masks.class_names if own.masks else [], home.mask_classes
        if names != known:
            raise UserError(f"data.masks.classes: expected the study's own, {listed(known)}, but got {listed(names)}")
        if home.unit != (unit := PIXELS if own.masks is None or own.masks.spacing is None else MILLIMETRES):
            raise UserError(
                f"data.masks.spacing: lengths of the study are in {home.unit}, but would be in {unit} here; give the "
                "spacing of both sets, or of neither"
            )
        return pd.DataFrame({"label_index": 0}, index=rows.index), []
    if home.outputs and len(home.outputs) == len(encoded.names) == 1:  # a number, whose column may be called otherwise
        return pd.DataFrame({"label_index": 0}, index=rows.index), []
    found, known = list(encoded.names or encoded.classes), home.outputs or home.classes
    if unknown := [name for name in found if name not in known]:
        shown = ", ".join(f"{yaml_word(name)}{near(name, known)}" for name in unknown[:MOST_SHOWN])
        raise UserError(
            f"data.labels: {counted(len(unknown), 'label')} that the study does not know: {shown}; it knows "
            f"{listed(list(map(yaml_word, known)))}: rename with aliases: {{{yaml_word(unknown[0])}: …}}, or leave out "
            f"with drop: [{', '.join(map(yaml_word, unknown))}]"
        )
    absent = [name for name in known if name not in found]
    warning = [f"ABSENT THERE: no image is known to show {listed(absent)}; scores are of the others"] if absent else []
    if not home.outputs:
        numbers = rows["label"].map({label: number for number, label in enumerate(known)})
        return pd.DataFrame({"label_index": numbers}), warning
    read = rows[[f"{VALUE}{number}" for number in range(len(found))]]
    values = read.set_axis(found, axis=1).reindex(columns=known)
    values.columns = pd.Index([f"{VALUE}{number}" for number in range(len(known))])
    return values.assign(label_index=0), warning


class _Joined:
    """Packed images of several arrays as one."""

    def __init__(self, *parts: tuple[Images, np.ndarray]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *(len(rows) for _, rows in parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, number: int) -> np.ndarray:
        part = int(np.searchsorted(self._starts, number, "right")) - 1
        images, rows = self._parts[part]
        return np.asarray(images[int(rows[number - self._starts[part]])])


def _without_learned(
    whole: pd.DataFrame, data: Data, home: Prepared, folder: Path, dropped: Dropped
) -> tuple[pd.DataFrame, list[str]]:
    """Treat copies of images that train or select, as `data.leakage` says; return the rows, and warnings."""
    learned = np.flatnonzero((home.table["split"] != "test").to_numpy())
    packed = open_packed(folder / IMAGES)
    joined = _Joined((home.images, learned), (packed, np.arange(len(whole))))
    same = [*home.table["sha256"].to_numpy()[learned], *whole["sha256"]]
    pairs = sibling_pairs(
        pd.DataFrame({"sha256": same, "key": [str(number) for number in range(len(same))], "split": "all"}),
        near_duplicate_pairs(cast(Images, joined), same),
    )
    first, second = pairs["first"].to_numpy(int), pairs["second"].to_numpy(int)
    across = (first < len(learned)) & (second >= len(learned))
    found = whole["sha256"].iloc[np.unique(second[across] - len(learned))]
    copies = whole["sha256"].isin(found).to_numpy()
    if not copies.any():
        return whole, []
    example = pairs[across].iloc[0]
    sentence = (
        f"{counted(int(copies.sum()), 'image')} of {len(whole)} of the external set are copies of images that the "
        f"study learns from, such as {whole['path'].iloc[int(example['second']) - len(learned)]} and "
        f"{home.table['path'].iloc[learned[int(example['first'])]]}"
    )
    if data.leakage == "fail":
        raise UserError(f"{sentence}; data.leakage: drop leaves them out, report continues and marks tables")
    if data.leakage == "report":
        return whole, [f"LEAKAGE: {sentence}"]
    arrays = [folder / array for array in ((IMAGES, MASKS) if data.masks else (IMAGES,))]
    return keep_rows(whole, ~copies, arrays, dropped, LEAK), []


def match_channels(path: Path, channels: int) -> None:
    """Convert a packed array to `channels` channels, in place: grey is repeated, colour becomes grey (ITU-R 601)."""
    packed = open_packed(path)
    if packed.shape[-1] == channels:
        return
    other = path.with_suffix(".other")
    shape = (*packed.shape[:3], channels)
    found = open_memmap(other, mode="w+", dtype=np.uint8, shape=shape)
    for number in range(len(packed)):
        image = np.asarray(packed[number])
        grey = np.asarray(Image.fromarray(image).convert("L"))[..., None] if channels == 1 else image
        found[number] = np.broadcast_to(grey, shape[1:])
    found.flush()
    del found
    other.replace(path)


def _store(whole: pd.DataFrame, folder: Path, home: Prepared, warnings: list[str]) -> None:
    """Write the table, and describe the set in the words of the study's own."""
    values = [f"{VALUE}{number}" for number in range(len(home.outputs))]
    masked = (folder / MASKS).exists()
    pixel = PIXEL if masked else ()
    whole[[*COLUMNS, *values, *pixel]].to_parquet(folder / TABLE, index=False)
    about = home.about | {
        "folds": 1,
        "pixels_sha256": sha256_of_file(folder / IMAGES),
        "table_sha256": sha256_of_file(folder / TABLE),
        "warnings": warnings,
    }
    masks = about.pop("masks", None)
    if masked and masks is not None:
        about["masks"] = masks | {"sha256": sha256_of_file(folder / MASKS)}
    write_json(folder / ABOUT, about)
