"""No entry is believed against the files; what is known to be wrong with a set is reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from medtransfer.data.catalogue import find_entry, read_entry
from medtransfer.data.catalogue.fit import check_fit
from medtransfer.data.prepare import prepare
from medtransfer.data.targets.target import COUNTED
from medtransfer.study import Data
from medtransfer.util.errors import UserError
from medtransfer.util.places import Places

from ..sets import data_of
from .replicas import REPLICAS

CHEST = "paultimothymooney/chest-xray-pneumonia"
SOME_FILES = {"dataset": CHEST, "version": 2, "files": ["*"]}
REMEDY = (
    f"the files are not what the catalogue describes ({CHEST}, version 2); to read them as they are: "
    "data.dataset: null, data.layout: auto, data.group: null"
)


def data_for(**changes: Any) -> Data:
    return data_of(**find_entry(CHEST).settings() | {"source": "folder", "leakage": "report"} | changes)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return REPLICAS[CHEST].write(tmp_path / "raw")


def problems_of(raw: Path, tmp_path: Path, data: Data) -> list[str]:
    with pytest.raises(UserError) as raised:
        prepare(raw, data, 0, Places(tmp_path))
    assert not (tmp_path / "metrics/data.json").exists()
    return raised.value.problems


def test_a_missing_root_is_said_to_differ_from_the_entry(raw: Path, tmp_path: Path) -> None:
    (raw / "chest_xray").rename(raw / "xray")
    assert problems_of(raw, tmp_path, data_for()) == [
        "data.layout.root: chest_xray is not a folder of the set",
        REMEDY,
    ]


def test_the_remedy_reads_the_files_as_they_are(tmp_path: Path) -> None:
    entry = find_entry("debeshjha1/kvasirseg")
    raw = REPLICAS[entry.reference].write(tmp_path / "raw")
    (raw / "Kvasir-SEG/Kvasir-SEG/masks").rename(raw / "Kvasir-SEG/Kvasir-SEG/contours")
    own = {"group": None, "split": {"method": "random"}} | entry.settings() | {"source": "folder"}
    with pytest.raises(UserError) as raised:
        prepare(raw, data_of(**own), 0, Places(tmp_path), "segmentation", "masks")
    remedy = raised.value.problems[-1].partition("as they are: ")[2]
    assert remedy == "data.dataset: null, data.layout: auto, data.masks: auto"
    plain = {"dataset": None, "layout": "auto", "masks": "auto"}
    audit = prepare(raw, data_of(**own | plain), 0, Places(tmp_path), "segmentation", "masks")
    assert (audit["images"], "known" in audit) == (6, False)


@pytest.mark.parametrize("source", ["folder", "kaggle"])
def test_a_part_of_a_set_may_lack_a_rare_finding(source: str) -> None:
    entry = find_entry("nih-chest-xrays/data")
    findings = [name for name in entry.classes if name != "Hernia"]
    table = pd.DataFrame({"label": findings, COUNTED: [(name,) for name in findings]})
    data = data_of(**entry.settings() | {"source": source})
    if source == "kaggle":
        with pytest.raises(UserError, match="without Hernia"):
            check_fit(entry, table, data)
    else:
        assert check_fit(entry, table, data) == len(findings)


def test_names_that_do_not_fit_the_groups_are_said_to_differ(raw: Path, tmp_path: Path) -> None:
    folder = raw / "chest_xray/train/NORMAL"
    (folder / "IM-0115-0001.jpeg").rename(folder / "scan.jpeg")
    (first, second) = problems_of(raw, tmp_path, data_for())
    assert "does not match 1 of 17 images in file names: chest_xray/train/NORMAL/scan.jpeg; " in first
    assert second == REMEDY


def test_a_missing_column_is_said_to_differ(tmp_path: Path) -> None:
    entry = find_entry("aptos2019-blindness-detection")
    raw = REPLICAS[entry.reference].write(tmp_path / "raw")
    table = raw / "train.csv"
    table.write_text(table.read_text().replace("diagnosis", "grade"))
    data = data_of(**{"group": None, "split": {"method": "random"}} | entry.settings() | {"source": "folder"})
    first, second = problems_of(raw, tmp_path, data)
    assert first == "data.layout.label: train.csv has no column 'diagnosis'; choose from grade, id_code"
    assert second.startswith("the files are not what the catalogue describes (aptos2019-blindness-detection); ")


def test_other_classes_are_said_to_differ(raw: Path, tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        (raw / "chest_xray" / split / "PNEUMONIA").rename(raw / "chest_xray" / split / "COVID")
    same = "; to keep how they were read: data.dataset: null"
    assert problems_of(raw, tmp_path, data_for()) == [
        f"data.dataset: the classes differ from those of {CHEST}: without PNEUMONIA, with COVID",
        REMEDY.replace("; to read", f"{same}; to read"),
    ]
    audit = prepare(raw, data_for(dataset=None), 0, Places(tmp_path))
    assert audit["layout"] == "{kind: split_folders, root: chest_xray}"


@pytest.mark.parametrize(
    ("counts", "changes", "problem"),
    [
        ({"NORMAL": 1583, "PNEUMONIA": 4273}, {"source": "kaggle"}, None),
        ({"NORMAL": 1583, "PNEUMONIA": 4272}, {"source": "kaggle"}, "PNEUMONIA: 4,272 instead of 4,273, images in"),
        ({"NORMAL": 1500, "PNEUMONIA": 10}, {}, None),
        ({"NORMAL": 1584, "PNEUMONIA": 10}, {}, "NORMAL: 1,584 instead of 1,583"),
        ({"NORMAL": 1, "PNEUMONIA": 1}, {"source": "kaggle", "kaggle": {"dataset": CHEST, "version": 1}}, None),
        ({"NORMAL": 1, "PNEUMONIA": 1}, {"source": "kaggle", "kaggle": SOME_FILES}, None),
    ],
)  # fmt: skip
def test_numbers_have_to_agree_where_the_whole_set_was_downloaded(
    counts: dict[str, int], changes: dict[str, Any], problem: str | None
) -> None:
    labels = [label for label, number in counts.items() for _ in range(number)]
    table, entry = pd.DataFrame({"label": labels}), find_entry(CHEST)
    if problem is None:
        assert check_fit(entry, table, data_for(**changes)) == len(table)
        return
    with pytest.raises(UserError, match=f"the numbers of images differ from those of {CHEST}: {problem}"):
        check_fit(entry, table, data_for(**changes))


def test_what_is_known_of_a_set_is_in_the_audit_and_on_its_page(raw: Path, tmp_path: Path) -> None:
    audit = prepare(raw, data_for(), 0, Places(tmp_path))
    assert audit["known"]["reference"] == CHEST
    assert (audit["known"]["images"], audit["known"]["read"]) == (5856, 17)
    assert not [
        warning for warning in audit["warnings"] if "KNOWN FLAW" in warning
    ]  # none that the audit does not treat
    page = (tmp_path / "metrics/data.md").read_text("utf-8")
    for text in (
        "## What is known of this set",
        f"Chest X-Ray Images (Pneumonia) (`{CHEST}`, version 2), https://www.kaggle.com/datasets/{CHEST}",
        "CC BY 4.0",
        "17 of its 5,856 images were read.",
        "- the published validation set has 16 images, too few to choose anything by (https://",
    ):
        assert text in page


def test_a_flaw_that_matters_is_a_warning_on_every_table(tmp_path: Path) -> None:
    entry = find_entry("masoudnickparvar/brain-tumor-mri-dataset")
    raw = REPLICAS[entry.reference].write(tmp_path / "raw")
    own = {"group": None, "leakage": "report"} | entry.settings() | {"source": "folder"}
    for name, split, expected in (("a", {"method": "published"}, 3), ("b", {"method": "random"}, 2)):
        audit = prepare(raw, data_of(**own | {"split": split}), 0, Places(tmp_path / name))
        flaws = [warning for warning in audit["warnings"] if warning.startswith(f"KNOWN FLAW of {entry.reference}: ")]
        assert len(flaws) == expected
        assert any("263 training images" in flaw for flaw in flaws) == (split["method"] == "published")


ENTRY = """\
reference: owner/name
version: 1
title: A set
shows: things
task: classification
reading: {layout: class_folders}
images: 3
classes: {a: 1, b: 2}
sources: {version: x, reading: x, images: unchecked, classes: x}
"""


def test_an_entry_names_its_unchecked_facts() -> None:
    assert read_entry(ENTRY, "e.yaml").unchecked == ["images"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (", classes: x}", "}", "sources: none for classes; write unchecked if there is none"),
        ("version: x, ", "version: x, licence: x, ", "sources: licence: the entry states no such fact"),
        ("{layout: class_folders}", "{layout: class_folders, source: kaggle}", "reading: source is not a property"),
        ("images: 3", "images: 4", "classes: their images add up to 3, not to 4"),
        ("title: A set", "name: A set", "e.yaml: name: unknown key"),
    ],
)
def test_an_entry_that_is_not_valid_is_refused(old: str, new: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        read_entry(ENTRY.replace(old, new, 1), "e.yaml")
