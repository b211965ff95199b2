"""Groups: by the definition of the user, and by duplicates."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from medtransfer.data.audit.pairs import sibling_pairs
from medtransfer.data.groups import duplicate_groups, group_keys, join_groups, lone_warning, number_warning
from medtransfer.data.layouts.read import Rows
from medtransfer.study import Group
from medtransfer.util.errors import UserError

from .sets import write_dicom

PATHS = ["train/p01_a_aug_1.png", "train/p01_b.png", "test/p02_a_aug_7.png"]


def keys_of(group: Group | list[Group] | None, paths: list[str] = PATHS, **columns: list[str]) -> list[str]:
    rows = Rows(pd.DataFrame({"path": paths} | columns), [], {})
    return list(group_keys(Path(), rows, group))


def problems_of(group: Group | list[Group], **columns: list[str]) -> list[str]:
    with pytest.raises(UserError) as raised:
        keys_of(group, **columns)
    return raised.value.problems


def test_without_a_definition_every_image_is_its_own_group() -> None:
    assert keys_of(None) == PATHS


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [
        (r"^(p\d+)_", ["p01", "p01", "p02"]),
        (r"^p\d+", ["p01", "p01", "p02"]),
        (r"^(p\d+)_(\w)", ["p01-a", "p01-b", "p02-a"]),
        (r"^(?P<patient>p\d+)_(?P<eye>\w)", ["p01-a", "p01-b", "p02-a"]),
        (r"^(.+?)_aug_|^(p\d+)", ["p01_a", "p01", "p02_a"]),
        (r"^(train|test)/", ["train", "train", "test"]),
        (r"(\w+)/p(\d+)", ["train-01", "train-01", "test-02"]),
    ],
    ids=["a group", "the whole match", "two groups", "named groups", "alternatives", "a folder", "folder and name"],
)
def test_a_key_is_what_the_pattern_captures_in_names_or_else_in_paths(pattern: str, keys: list[str]) -> None:
    assert keys_of(Group(pattern=pattern)) == keys


def test_a_pattern_that_fits_file_names_does_not_see_folders() -> None:
    assert keys_of(Group(pattern=r"(\d+)"), ["b2/1_a.png", "b2/3_a.png", "b2/1_b.png"]) == ["1", "3", "1"]


def test_names_that_a_pattern_does_not_match_are_an_error_or_alone() -> None:
    assert problems_of(Group(pattern="_aug_1|^p02")) == [
        "data.group.pattern: '_aug_1|^p02' does not match 1 of 3 images in file names: train/p01_b.png; "
        "missing: alone makes each of them a group of its own"
    ]
    assert keys_of(Group(pattern="(_aug_)", missing="alone")) == ["_aug_", PATHS[1], "_aug_"]


def test_a_pattern_that_matches_nothing_is_an_error() -> None:
    assert problems_of(Group(pattern="^(id)")) == [
        "data.group.pattern: '^(id)' does not match any of the 3 images, such as train/p01_a_aug_1.png"
    ]


def test_a_column_gives_its_values_without_spaces() -> None:
    assert keys_of(Group(column="patient"), patient=["7", " 7", "8 "]) == ["7", "7", "8"]


def test_a_missing_column_is_an_error_that_names_a_similar_one() -> None:
    (problem,) = problems_of(Group(column="pateint"), patient=["1", "2", "3"])
    assert problem.startswith("data.group.column: no 'pateint'; did you mean 'patient'?")


def test_rows_without_a_group_are_an_error_or_alone() -> None:
    patient = ["", "1", " "]
    assert problems_of(Group(column="patient"), patient=patient) == [
        "data.group.column: 'patient' is empty for 2 of 3 images: train/p01_a_aug_1.png, test/p02_a_aug_7.png; "
        "missing: alone makes each of them a group of its own"
    ]
    assert keys_of(Group(column="patient", missing="alone"), patient=patient) == [PATHS[0], "1", PATHS[2]]


@pytest.mark.parametrize(
    ("number", "keys"), [(1, ["a", "a", "c"]), (2, ["b", "x", "d"]), (-1, ["b", "x", "d"]), (-2, ["a", "a", "c"])]
)
def test_a_folder_counts_from_the_top_or_from_the_file(number: int, keys: list[str]) -> None:
    assert keys_of(Group(folder=number), ["a/b/1.png", "a/x/1.png", "c/d/1.png"]) == keys


def test_a_folder_that_is_not_there_is_an_error() -> None:
    assert problems_of(Group(folder=3)) == [
        "data.group.folder: no folder 3 above any of the 3 images, such as train/p01_a_aug_1.png"
    ]


def test_several_keys_are_joined() -> None:
    groups = [Group(column="label"), Group(pattern=r"_(\w)[_.]")]
    assert keys_of(groups, label=["x", "y", "y"]) == ["x-a", "y-b", "y-a"]


@given(st.lists(st.tuples(*(st.text("-/|a ", min_size=1, max_size=3).map(lambda text: f"{text}a"),) * 2), min_size=1))
def test_joined_keys_are_equal_only_if_all_their_parts_are(parts: list[tuple[str, str]]) -> None:
    parts = [(first.strip(), second.strip()) for first, second in parts]
    paths = [f"{number}.png" for number in range(len(parts))]
    columns = {"first": [first for first, _ in parts], "second": [second for _, second in parts]}
    keys = keys_of([Group(column="first"), Group(column="second")], paths, **columns)
    assert len(set(keys)) == len(set(parts)) == len(set(zip(keys, parts, strict=True)))


def test_the_key_of_a_dicom_file_is_an_element_of_its_header(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    for name, patient in (("a", "P1"), ("b", "P1"), ("c", "P2"), ("d", "")):
        write_dicom(tmp_path / f"{name}.dcm", PatientID=patient)
    (tmp_path / "e.png").write_bytes(b"no DICOM")
    paths = [*(f"{name}.dcm" for name in "abcd"), "e.png"]
    rows = Rows(pd.DataFrame({"path": paths}), [], {})
    alone = Group(dicom="PatientID", missing="alone")
    assert list(group_keys(tmp_path, rows, alone)) == ["P1", "P1", "P2", "d.dcm", "e.png"]
    with pytest.raises(UserError, match=r"^data\.group\.dicom: no PatientID in 2 of 5 images: d\.dcm, e\.png; missing"):
        group_keys(tmp_path, rows, Group(dicom="PatientID"))
    with pytest.raises(UserError, match="no DICOM element 'PatientId'; did you mean 'PatientID'"):
        group_keys(tmp_path, rows, Group(dicom="PatientId"))


ACROSS = pd.DataFrame({"key": ["1", "1", "2", "2", "3"], "label": ["a", "b", "a", "b", "a"]})


def test_numbers_in_several_classes_warn_and_say_how_to_include_the_class() -> None:
    (warning,) = number_warning(ACROSS, Group(pattern=r"\((\d+)\)"))
    assert warning.startswith(
        "GROUPS ACROSS CLASSES: 2 of 3 group keys are numbers that images of several classes have"
    )
    several, named = (
        YAML(typ="safe").load(text) for text in re.findall(r"data\.group: (\[.*?\]|\{.*?\})(?:;|$)", warning)
    )
    assert several == [{"pattern": r"\((\d+)\)"}, {"column": "label"}]
    assert named == {"pattern": r"\((?P<patient>\d+)\)"}
    for silent in (
        Group.model_validate(named),
        [Group.model_validate(each) for each in several],
        Group(column="id"),
        None,
    ):
        assert number_warning(ACROSS, silent) == []


@pytest.mark.parametrize("number", [1, 2, -1, -2])
def test_numbers_of_folders_across_classes_warn_too(number: int) -> None:
    paths = ["a/1/x/1.png", "b/1/x/2.png", "a/2/y/1.png"]
    folder = Group(folder=number)
    table = pd.DataFrame({"path": paths, "key": keys_of(folder, paths), "label": ["a", "b", "a"]})
    warnings = number_warning(table.assign(key=["1", "1", "2"]), folder)
    named = YAML(typ="safe").load(warnings[0].split("say so: data.group: ")[1])
    assert keys_of(Group.model_validate(named), paths) == list(table["key"])


def test_keys_with_words_or_of_one_class_do_not_warn() -> None:
    assert number_warning(ACROSS.assign(key=["p1", "p1", "p2", "p2", "p3"]), Group(pattern="^(p.)")) == []
    assert number_warning(ACROSS.assign(label="a"), Group(pattern=r"(\d)")) == []


def test_a_key_that_differs_for_every_image_warns_unless_it_says_what_it_is() -> None:
    """Renumbered names number the files, not the examinations, and a pattern of them keeps nothing together."""
    paths = ["1_HC.png", "2_HC.png", "3_2HC.png"]
    pattern = Group(pattern=r"^(\d+)_")
    alone = pd.DataFrame({"path": paths, "key": keys_of(pattern, paths)})
    (warning,) = lone_warning(alone, pattern)
    assert warning.startswith("GROUP KEY: all 3 images have different ones, as without a key: ")
    named = Group.model_validate(YAML(typ="safe").load(warning.split("say so: data.group: ")[1]))
    assert keys_of(named, paths) == list(alone["key"])
    for silent in (named, [pattern, Group(folder=1)], Group(column="exam"), None):
        assert lone_warning(alone, silent) == []
    assert lone_warning(alone.assign(key=["1", "1", "2"]), pattern) == []


def naive_union(keys: list[str], hashes: list[str]) -> list[str]:
    """Join rows that share a key or a hash until nothing changes; name each set by its first key."""
    found = list(keys)
    changed = True
    while changed:
        changed = False
        for first in range(len(keys)):
            for second in range(len(keys)):
                related = keys[first] == keys[second] or hashes[first] == hashes[second]
                if related and found[second] > found[first]:
                    found[second] = found[first]
                    changed = True
    return found


def joined(keys: list[str], hashes: list[str]) -> pd.Series:
    table = pd.DataFrame({"key": keys, "sha256": hashes, "split": None})
    return join_groups(table["key"], sibling_pairs(table, pd.DataFrame(columns=["first", "second", "inliers"])))


@given(st.lists(st.tuples(st.sampled_from("abcdefg"), st.sampled_from("0123456789")), min_size=1, max_size=14))
def test_groups_that_share_a_duplicate_are_joined_through_any_chain(rows: list[tuple[str, str]]) -> None:
    keys, hashes = (list(column) for column in zip(*rows, strict=True))
    found = joined(keys, hashes)
    assert list(found) == naive_union(keys, hashes)


def test_a_chain_of_duplicates_worked_by_hand() -> None:
    keys, hashes = list("cbbad"), list("11223")
    assert list(joined(keys, hashes)) == ["a", "a", "a", "a", "d"]


def test_sets_of_duplicates_are_listed_by_row_and_single_images_are_not() -> None:
    assert duplicate_groups(pd.Series(list("xyxzyx"))) == [[0, 2, 5], [1, 4]]
    assert duplicate_groups(pd.Series(list("abc"))) == []
