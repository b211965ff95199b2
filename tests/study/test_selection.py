"""The parts of `data` that say what counts, what labels are called, and what belongs together."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from medtransfer.study import Group, JoinedTable, Labels, MaskFiles, Split
from medtransfer.study.selection import Groups

GROUPS: TypeAdapter[Any] = TypeAdapter(Groups)


@pytest.mark.parametrize("value", [0, 0.0, True, None])
def test_labels_that_yaml_reads_as_something_else_must_be_quoted(value: Any) -> None:
    with pytest.raises(ValidationError, match=f"write it in quotes: {value!r} is not a text"):
        Labels.model_validate({"drop": [value]})
    with pytest.raises(ValidationError, match="write it in quotes"):
        Labels.model_validate({"aliases": {"a": value}})


def test_aliases_of_aliases_are_refused() -> None:
    with pytest.raises(ValidationError, match="'a' becomes 'b', which becomes another"):
        Labels(aliases={"a": "b", "b": "c"})
    assert Labels(aliases={"a": "b", "b": "b"}).aliases == {"a": "b", "b": "b"}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({}, "expected one of pattern, column, dicom, folder"),
        ({"pattern": "a", "column": "b"}, "expected one of pattern, column, dicom, folder"),
        ({"pattern": "(a"}, r"pattern: '\(a' is not a valid regular expression"),
        ({"folder": 0}, "folder: expected 1, 2"),
    ],
)
def test_a_group_has_one_key(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Group(**fields)


def test_one_key_or_several() -> None:
    assert GROUPS.validate_python({"column": "a"}) == Group(column="a")
    several = GROUPS.validate_python([{"folder": 1}, {"dicom": "PatientID"}])
    assert several == [Group(folder=1), Group(dicom="PatientID")]
    with pytest.raises(ValidationError, match="at least 1 item"):
        GROUPS.validate_python([])


def test_tables_are_within_the_set() -> None:
    with pytest.raises(
        ValidationError, match=r"file\n  Value error, expected a path within the set, but got \.\./a\.csv"
    ):
        JoinedTable(file="../a.csv", key="image")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"method": "random", "column": "fold"}, "column belongs to method: published, not to random"),
        ({"method": "kfold", "folds": 3, "lists": {"test": "a.txt"}}, "lists belongs to method: published"),
        ({"method": "published", "column": "a", "lists": {"test": "a.txt"}}, "column or lists, not both"),
        ({"method": "published", "values": {"1": "test"}}, "values needs column"),
        ({"method": "published", "lists": {"test": "rest"}}, "at least one file, and rest at most once"),
        ({"method": "published", "lists": {"test": "/a.txt"}}, "expected a path within the set"),
    ],
)
def test_a_published_split_has_one_source(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Split(**fields)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"classes": {"lung": {"folder": "a"}, "heart": 3}}, "a folder or suffix for each class"),
        ({"classes": {"lung": {"folder": "a"}}, "folder": "masks"}, "a folder or suffix for each class"),
        ({"classes": {"lung": {"folder": "a"}, "heart": {"folder": "a"}}}, "a different place for each class"),
        ({"classes": {"lung": {}}}, "expected folder, suffix or both"),
        ({"classes": {"lung": {"folder": ".."}}}, "expected the name of a folder of the set"),
        ({"classes": {"lung": 255}, "ignore": 255}, "a different value for each class, and another"),
        ({"classes": {"lung": 1}, "ignore": "#ff0000"}, "grey values or colours, not both"),
        ({"ignore": 0}, "ignore: expected a grey value above 0 or a colour, but got 0"),
    ],
)
def test_masks_of_classes_and_ignored_values(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        MaskFiles(**fields)
