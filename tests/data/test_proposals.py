"""Groups that file names suggest, and names that only look like copies."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from medtransfer.data.groups import group_keys
from medtransfer.data.layouts.read import Rows
from medtransfer.data.proposals import PATTERNS, propose_groups
from medtransfer.study import Group

NOWHERE = Path("nowhere")
AUGMENTED = [f"train/head{source}_aug_{copy}_png.jpg" for source in range(4) for copy in range(5)]
ROBOFLOW = [f"a/scan{source}_png.rf.{copy:032x}.jpg" for source in range(4) for copy in range(3)]
COPIES = ["a/x.png", "a/x (1).png", "b/y.png", "b/y - copy.png", "b/y - Copy (2).png", "b/z.png"]
PATIENTS = [f"Patient{number:03}_Plane{view}_1_of_3.png" for number in range(9) for view in (1, 2)]
KNEES = [f"{patient}{side}.png" for patient in (9001104, 9001400, 9002411) for side in "LR"]
EYES = [f"{patient}_{eye}.jpg" for patient in range(5) for eye in ("left", "right")]
SERIES = [f"NORMAL2-IM-{number:04}-0001-000{frame}.jpeg" for number in range(9) for frame in (1, 2)]


def proposed(names: list[str], **columns: list[str]) -> list[str]:
    """Return the proposals for images of one class, or of the column label."""
    table = pd.DataFrame({"path": names, "label": "x", "split": None} | columns)
    return propose_groups(NOWHERE, table)


def definition(proposal: str) -> Group:
    """Return the definition that a proposal offers to paste."""
    return Group.model_validate(YAML(typ="safe").load(proposal.split("set data.group: ")[1]))


def groups_of(names: list[str], group: Group, **columns: list[str]) -> set[frozenset[str]]:
    keys = group_keys(Path(), Rows(pd.DataFrame({"path": names} | columns), [], {}), group)
    return {frozenset(pd.Series(names)[keys == key]) for key in set(keys)}


@pytest.mark.parametrize(
    ("names", "what", "groups"),
    [
        (AUGMENTED, "augmented copies", 4),
        (ROBOFLOW, "copies of a Roboflow export", 4),
        (COPIES, "copies of files", 3),
        (PATIENTS, "patients", 9),
        (KNEES, "both sides of a patient", 3),
        (EYES, "both sides of a patient", 5),
        (SERIES, "images of a numbered series", 9),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_names_of_copies_and_of_patients_are_recognised(names: list[str], what: str, groups: int) -> None:
    (proposal,) = proposed(names)
    assert proposal.startswith(f"all file names suggest {groups} groups ({what}), such as ")
    assert proposal.endswith(f"set data.group: {{pattern: '{PATTERNS[what]}'}}")
    assert len(groups_of(names, definition(proposal))) == groups


# name of a real set: names as in it, and the part of each that is the patient, slide or source
REAL = {
    "bone_fracture": ([f"{n}-rotated{r}-rotated1.jpg" for n in range(1, 5) for r in (1, 2)], r"^\d+"),
    "cnmc_leukemia": ([f"UID_{u}_{i}_{c}.bmp" for u in ("4", "H10") for i in (1, 2) for c in (1, 2)], r"^UID_\w+?_"),
    "breakhis": (
        [f"SOB_{k}-14-{s}-{m}-00{n}.png" for k, s in (("B_A", "22549AB"), ("M_DC", "2523"), ("B_F", "9133"))
         for m in (40, 100) for n in (1, 2)],
        r"-14-\w+",
    ),
    "kermany": ([f"CNV-{p}-{n}.jpeg" for p in (1016042, 9911627, 9935363) for n in (1, 2, 3)], r"-\d+"),
    "blood_cells": ([f"_{s}_{n}.jpeg" for s in range(4) for n in (1007, 2233)], r"_\d+"),
    "idc": ([f"{p}_idx5_x{x}_y1251_class0.png" for p in (8863, 9381) for x in (1001, 1051)], r"^\d+"),
    "lgg_mri": ([f"TCGA_{s}_19960909_{n}.tif" for s in ("CS_4941", "DU_5849") for n in (1, 2, 3)], r"TCGA_\w\w_\d+"),
    "malaria": ([f"C{p}P61ThinF_IMG_2015_1441_cell_{n}.png" for p in (100, 101) for n in (162, 163)], r"^C\d+"),
}  # fmt: skip


@pytest.mark.parametrize(("names", "truth"), REAL.values(), ids=REAL.keys())
def test_the_first_number_that_varies_is_proposed(names: list[str], truth: str) -> None:
    proposal = proposed(names)[0]
    keys = [re.search(truth, name).group(0) for name in names]  # type: ignore[union-attr]
    wanted = {frozenset(name for name, key in zip(names, keys, strict=True) if key == one) for one in set(keys)}
    assert groups_of(names, definition(proposal)) == wanted
    assert f"suggest {len(wanted)} groups" in proposal
    assert len(re.findall(r" \(\d+\)", proposal.split("such as ")[1])) == min(3, len(wanted))


def test_folders_of_patients_are_proposed_and_parts_of_an_archive_are_not() -> None:
    patients = [f"MURA/train/XR_HAND/patient{p:05}/study1/image{n}.png" for p in range(5) for n in (1, 2)]
    (proposal,) = proposed(patients)
    assert proposal.startswith("the folders of level 4 suggest 5 groups, such as patient00000 (2), ")
    assert groups_of(patients, definition(proposal)) == groups_of(patients, Group(folder=4))
    (partly,) = proposed([*patients, "MURA/more.png"])
    assert definition(partly) == Group(folder=4, missing="alone")
    assert proposed([f"images_{p:03}/{n:08}.png" for p in range(5) for n in range(10 * p, 10 * p + 9)]) == []
    assert proposed([f"fold_{p}/a{n}.png" for p in range(5) for n in range(10 * p, 10 * p + 9)]) == []


def test_folders_that_are_classes_are_not_proposed() -> None:
    names = [f"{grade}/{grade}{n:02}.png" for grade in range(5) for n in range(9)]
    assert proposed(names, label=[name[0] for name in names]) == []


def test_a_column_of_patients_is_proposed() -> None:
    names = [f"{number}.png" for number in range(6)]
    (proposal,) = proposed(
        names, patientId=["a", "a", "b", "b", "c", ""], age=["60"] * 6, image_id=names, patient_sex=["f"] * 6
    )
    assert proposal == (
        "column 'patientId' gives 3 groups, such as a (2), b (2) and c (1); to use them, "
        "set data.group: {column: patientId, missing: alone}"
    )


def test_columns_that_do_not_speak_of_patients_are_not_looked_at() -> None:
    """A table of thousands of them took minutes."""
    table = pd.DataFrame({"path": ["a.png", "b.png"], "width": [1, 2]})  # a number has no text to look at
    assert propose_groups(NOWHERE, table) == []


def test_a_column_of_a_table_that_was_not_read_is_proposed_with_the_table(tmp_path: Path) -> None:
    names = [f"a/i{number}.png" for number in range(6)]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    lines = [f"i{number},p{number // 2},60" for number in range(6)]
    (tmp_path / "more.csv").write_text("\n".join(["image,patient_id,age", *lines[:5]]), encoding="utf-8")
    table = pd.DataFrame({"path": names, "label": "x", "split": None})
    (proposal,) = propose_groups(tmp_path, table)
    assert proposal == (
        "column 'patient_id' of more.csv gives 3 groups, such as p0 (2), p1 (2) and p2 (1); to use them, "
        "set data.tables: [{file: more.csv, key: image}] and data.group: {column: patient_id, missing: alone}"
    )
    assert propose_groups(tmp_path, table, {"more.csv"}) == []


@pytest.mark.parametrize(
    "names",
    [
        [f"{number}.png" for number in range(20)],
        [f"patient{number}.png" for number in range(20)],
        [f"{label} ({number}).png" for label in ("benign", "malignant") for number in range(1, 30)],
        [*(f"no {number}.jpg" for number in range(40)), "a.jpg", "a (1).jpg"],
        [f"all_aug_{number}.png" for number in range(20)],
        [f"{split}/{number}.png" for split in ("train", "test") for number in range(20)],
        [],
    ],
    ids=[
        "numbers",
        "one image per patient",
        "numbered throughout",
        "one copy among many",
        "one group",
        "one name in two folders",
        "nothing",
    ],
)
def test_names_without_groups_make_no_proposal(names: list[str]) -> None:
    assert proposed(names) == []


def test_a_pattern_that_covers_only_some_names_says_so() -> None:
    (proposal,) = proposed([*AUGMENTED, "scan.png"])
    assert proposal.startswith("20 of 21 file names suggest 4 groups (augmented copies)")
    assert len(groups_of([*AUGMENTED, "scan.png"], definition(proposal))) == 5


def test_the_sources_of_a_real_set_are_found(shared: Path) -> None:
    paths = [str(path) for path in (shared / "data" / "fetal_head").rglob("*.jpg")]
    assert any("suggest 106 groups (augmented copies)" in line for line in proposed(paths))
