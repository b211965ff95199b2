"""Groups: by the definition of the user, and by duplicates."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtransfer.data.audit.pairs import sibling_pairs
from medtransfer.data.groups import duplicate_groups, group_keys, join_groups
from medtransfer.study import Group
from medtransfer.util.errors import UserError

PATHS = ["train/p01_a_aug_1.png", "train/p01_b.png", "test/p02_a_aug_7.png"]


def keys_of(group: Group | None, **columns: list[str]) -> list[str]:
    return list(group_keys(pd.DataFrame({"path": PATHS} | columns), group))


def test_without_a_definition_every_image_is_its_own_group() -> None:
    assert keys_of(None) == PATHS


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [
        (r"^(p\d+)_", ["p01", "p01", "p02"]),
        (r"^p\d+", ["p01", "p01", "p02"]),
        (r"^(p\d+)_(\w)", ["p01-a", "p01-b", "p02-a"]),
        (r"^(.+?)_aug_|^(p\d+)", ["p01_a", "p01", "p02_a"]),
    ],
    ids=["a group", "the whole match", "two groups", "alternatives"],
)
def test_a_key_is_what_the_pattern_captures_in_the_file_name(pattern: str, keys: list[str]) -> None:
    assert keys_of(Group(pattern=pattern)) == keys


def test_a_pattern_is_not_applied_to_folders() -> None:
    with pytest.raises(UserError) as raised:
        keys_of(Group(pattern="(train|test)"))
    assert len(raised.value.problems) == 3


def test_every_name_that_a_pattern_does_not_match_is_listed() -> None:
    with pytest.raises(UserError) as raised:
        keys_of(Group(pattern="_aug_1|^p02"))
    assert raised.value.problems == ["data.group.pattern: '_aug_1|^p02' does not match train/p01_b.png"]


def test_an_invalid_regular_expression_is_refused_by_the_schema() -> None:
    with pytest.raises(ValueError, match=r"pattern: '\(p' is not a valid regular expression"):
        Group(pattern="(p")


def test_a_column_gives_its_values_without_spaces() -> None:
    assert keys_of(Group(column="patient"), patient=["7", " 7", "8 "]) == ["7", "7", "8"]


def test_a_missing_column_is_an_error_that_names_a_similar_one() -> None:
    with pytest.raises(UserError, match="no 'pateint'; did you mean 'patient'"):
        keys_of(Group(column="pateint"), patient=["1", "2", "3"])


def test_rows_without_a_group_are_listed() -> None:
    with pytest.raises(UserError) as raised:
        keys_of(Group(column="patient"), patient=["", "1", " "])
    assert raised.value.problems == [
        "data.group.column: 'patient' is empty for train/p01_a_aug_1.png",
        "data.group.column: 'patient' is empty for test/p02_a_aug_7.png",
    ]


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
