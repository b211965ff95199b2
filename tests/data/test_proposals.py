"""Groups that file names suggest, and names that only look like copies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medtransfer.data.groups import PATTERNS, propose_groups

AUGMENTED = [f"train/head{source}_aug_{copy}_png.jpg" for source in range(4) for copy in range(5)]
ROBOFLOW = [f"a/scan{source}_png.rf.{copy:032x}.jpg" for source in range(4) for copy in range(3)]
COPIES = ["a/x.png", "a/x (1).png", "b/y.png", "b/y - copy.png", "b/y - Copy (2).png", "b/z.png"]
PATIENTS = [f"Patient{number:03}_Plane{view}_1_of_3.png" for number in range(9) for view in (1, 2)]
SERIES = [f"NORMAL2-IM-{number:04}-0001-000{frame}.jpeg" for number in range(9) for frame in (1, 2)]


@pytest.mark.parametrize(
    ("names", "what", "groups"),
    [
        (AUGMENTED, "augmented copies", 4),
        (ROBOFLOW, "copies of a Roboflow export", 4),
        (COPIES, "copies of files", 3),
        (PATIENTS, "patients", 9),
        (SERIES, "images of a numbered series", 9),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_names_of_copies_and_of_patients_are_recognised(names: list[str], what: str, groups: int) -> None:
    (proposal,) = propose_groups(names)
    assert proposal.startswith(f"all file names suggest {groups} groups ({what})")
    assert proposal.endswith(f"set data.group: {{pattern: '{PATTERNS[what]}'}}")
    keys = {re.search(PATTERNS[what], name.rsplit("/", 1)[-1]).group(1) for name in names}  # type: ignore[union-attr]
    assert len(keys) == groups


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
    assert propose_groups(names) == []


def test_a_pattern_that_covers_only_some_names_says_so() -> None:
    (proposal,) = propose_groups([*AUGMENTED, "scan.png"])
    assert proposal.startswith("20 of 21 file names suggest 4 groups (augmented copies)")


def test_the_sources_of_a_real_set_are_found(shared: Path) -> None:
    paths = [str(path) for path in (shared / "data" / "fetal_head").rglob("*.jpg")]
    assert any("suggest 106 groups (augmented copies)" in line for line in propose_groups(paths))
