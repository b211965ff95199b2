"""What the params say of a set, all at once: the rows of random sets equal those of a plain computation."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medtransfer.data.prepare import EXCLUDED, LABEL, read_set
from medtransfer.data.targets import TARGETS
from medtransfer.util.errors import UserError

from .sets import data_of

LABELS = ("nevus", "mel", "MEL", "?", "")
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Lesion:
    """A row of the table: an image in one of two folders, its label, the patient, and the list that names it."""

    folder: str
    label: str
    patient: int
    split: str


LESIONS = st.lists(
    st.builds(
        Lesion,
        folder=st.sampled_from(["left", "right"]),
        label=st.sampled_from(LABELS),
        patient=st.integers(0, 3),
        split=st.sampled_from(SPLITS),
    ),
    min_size=8,
    max_size=14,
)


def write(root: Path, lesions: list[Lesion]) -> dict[str, Lesion]:
    """Write the images, a table of labels, one of patients, and lists of the splits; return the rows by path."""
    rows = {f"{lesion.folder}/i{number:02}.png": lesion for number, lesion in enumerate(lesions)}
    for path in rows:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    lines = [f"{path},{lesion.label}," for path, lesion in rows.items()]
    (root / "labels.csv").write_text("\n".join(["file,dx,", *lines]), encoding="utf-8")
    patients = [f"{Path(path).stem};P{lesion.patient}" for path, lesion in rows.items()]
    (root / "patients.csv").write_text("\n".join(["image;patient", *patients[::-1]]), encoding="utf-8")
    for split in SPLITS[1:]:
        names = [Path(path).name for path, lesion in rows.items() if lesion.split == split]
        (root / f"{split}.txt").write_text("\n".join(names), encoding="utf-8")
    return rows


@settings(max_examples=60, deadline=None)
@given(
    lesions=LESIONS,
    aliases=st.sampled_from([{}, {"MEL": "mel"}, {"MEL": "mel", "?": "unknown"}, {"nevus": "mole", "MEL": "mole"}]),
    drop=st.sampled_from([set(), {""}, {"", "?"}, {"", "unknown"}]),
    exclude=st.sampled_from([None, ["left/*"], ["*/i00.png", "*/i01.png"]]),
    groups=st.sampled_from(["patient", "folder", "both"]),
    lists=st.booleans(),
)
def test_rows_are_those_of_a_plain_computation(
    tmp_path_factory: pytest.TempPathFactory,
    lesions: list[Lesion],
    aliases: Mapping[str, str],
    drop: set[str],
    exclude: list[str] | None,
    groups: str,
    lists: bool,
) -> None:
    root = tmp_path_factory.getbasetemp() / "lesions"
    shutil.rmtree(root, ignore_errors=True)
    rows = write(root, lesions)
    out = {path for path in rows if exclude and (exclude == ["left/*"]) == path.startswith("left/")}
    if exclude and exclude != ["left/*"]:
        out = {path for path in rows if path.endswith(("i00.png", "i01.png"))}
    written = {path: row.label.strip() for path, row in rows.items() if path not in out}
    aliases = {name: target for name, target in aliases.items() if name in written.values()}
    labels = {path: aliases.get(label, label) for path, label in written.items()}
    drop = drop & set(labels.values())
    kept = {path: label for path, label in labels.items() if label not in drop}
    group: list[dict[str, Any]] = [{"column": "patient"}, {"folder": 1}]
    chosen = {"patient": group[0], "folder": group[1], "both": group}[groups]
    named = {split: f"{split}.txt" for split in SPLITS[1:]}
    data = data_of(
        layout={"kind": "label_csv", "file": "labels.csv", "image": "file", "label": "dx"},
        labels={"aliases": aliases, "drop": sorted(drop)},
        tables=[{"file": "patients.csv", "key": "image"}],
        group=chosen,
        split={"method": "published", **({"lists": named | {"train": "rest"}} if lists else {})},
        **({"files": {"exclude": exclude}} if exclude else {}),
    )
    try:
        reading = read_set(root, data, TARGETS["classes"])
    except UserError as error:
        idle = exclude is not None and (not out or len(out) == len(rows))
        listed = [split for split in named if not any(row.split == split for row in rows.values())]
        twice = {"mel", "MEL"} <= set(kept.values())
        assert idle or twice or "" in kept.values() or len(set(kept.values())) < 2 or (lists and listed), error
        return
    assert reading.rows.set_index("path")["label"].to_dict() == kept
    assert set(reading.dropped[EXCLUDED]) == out
    assert set(reading.dropped[LABEL]) == labels.keys() - kept.keys()
    keys = reading.rows.set_index("path")["key"]
    truth = {
        path: (rows[path].patient if groups != "folder" else None, rows[path].folder if groups != "patient" else None)
        for path in kept
    }
    assert len(set(zip(keys[list(kept)], truth.values(), strict=True))) == keys.nunique() == len(set(truth.values()))
    assert not [note for note in reading.notes if note.startswith("SPLIT LISTS")]
    if lists:
        assert reading.rows.set_index("path")["split"].to_dict() == {path: rows[path].split for path in kept}
