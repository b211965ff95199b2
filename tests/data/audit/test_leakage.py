"""Groups in more than one published split: found, and refused, reported, dropped or split again."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medtransfer.data.audit.leakage import drop_leaking, find_crossing, refusal, resolve_leakage, splits_in_use
from medtransfer.data.split import assign_splits
from medtransfer.study import Data, Split
from medtransfer.util.errors import UserError

from ..sets import data_of

ROWS = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["train", "val", "test"])), min_size=1, max_size=40)


def table_of(rows: list[tuple[Any, str]]) -> pd.DataFrame:
    """Make a table of (group, split) rows, two classes in turn."""
    table = pd.DataFrame(rows, columns=["group", "split"])
    return table.assign(
        path=[f"{row:03}.png" for row in range(len(table))],
        label=["ab"[row % 2] for row in table.index],
        strata=[("ab"[row % 2],) for row in table.index],
    )


def rule(leakage: str, **split: Any) -> Data:
    return data_of(group=None, leakage=leakage, split={"method": "published", "validation": 0.2} | split)


KEPT = rule("fail", validation=0.01).split
"""A split that keeps its published validation rows, however few."""


def resolved(table: pd.DataFrame, data: Data) -> tuple[pd.DataFrame, Split, list[str]]:
    return resolve_leakage(table, data, find_crossing(table, data.split))


# group 1 is in train and test, group 2 in train and val, group 3 in all three, groups 4 to 6 in one
SPLITS = ["train", "test", "test", "train", "val", "train", "val", "test", "train", "train", "val", "test"]
LEAKING = table_of(list(zip([1, 1, 1, 2, 2, 3, 3, 3, 4, 4, 5, 6], SPLITS, strict=True)))
CLEAN = LEAKING[LEAKING["group"] >= 4].reset_index(drop=True)
SENTENCE = (
    "3 groups are in more than one split: 3 of 4 test images have a copy or an image of their group in training or "
    "validation, and 2 of 3 validation images have one in training"
)


def test_crossing_groups_and_images_worked_by_hand() -> None:
    found = find_crossing(LEAKING, KEPT)
    assert (found.groups, found.test, found.test_total, found.validation, found.validation_total) == (3, 3, 4, 2, 3)
    assert found.sentence().startswith(SENTENCE)


@given(ROWS)
def test_crossings_equal_those_of_a_loop_over_pairs_of_images(rows: list[tuple[int, str]]) -> None:
    found = find_crossing(table_of(rows), KEPT)

    def with_sibling(split: str, others: set[str]) -> int:
        return sum(
            any(group == another and elsewhere in others for another, elsewhere in rows)
            for group, own in rows
            if own == split
        )

    assert found.test == with_sibling("test", {"train", "val"})
    assert found.validation == with_sibling("val", {"train"})
    assert found.groups == len({a for a, one in rows for b, other in rows if a == b and one != other})
    assert found.test_total == sum(split == "test" for _, split in rows)


@pytest.mark.parametrize("leakage", ["fail", "regroup", "drop", "report"])
def test_without_crossing_groups_nothing_changes(leakage: str) -> None:
    data = rule(leakage)
    table, split, warnings = resolved(CLEAN, data)
    pd.testing.assert_frame_equal(table, CLEAN)
    assert split == data.split
    assert warnings == []


def test_the_error_names_the_kinds_the_figure_and_the_remedy() -> None:
    kinds = {"group keys": 2, "sets of exact duplicates": 0, "pairs of near duplicates": 7}
    line = refusal(find_crossing(LEAKING, KEPT), kinds, "leaks.png")
    assert line.startswith(f"data.leakage: fail, and {SENTENCE}")
    assert "(2 group keys, 7 pairs of near duplicates; side by side in leaks.png)" in line
    assert all(remedy in line for remedy in ("regroup draws a new split", "drop leaves", "report continues"))


def test_reporting_changes_nothing_and_adds_a_warning() -> None:
    data = rule("report")
    table, split, (warning,) = resolved(LEAKING, data)
    pd.testing.assert_frame_equal(table, LEAKING)
    assert split == data.split
    assert warning.startswith(f"LEAKAGE: {SENTENCE}")


def test_dropping_worked_by_hand() -> None:
    table, split, (warning,) = resolved(LEAKING, rule("drop"))
    # out go 000 (group 1), 005 and 006 (group 3): their group tests; then 003 (group 2): it validates
    assert table["path"].tolist() == [f"{row:03}.png" for row in (1, 2, 4, 7, 8, 9, 10, 11)]
    assert split.method == "published"
    assert warning.startswith(f"4 leaking images were left out, because {SENTENCE}")


@given(ROWS)
def test_after_dropping_no_group_crosses_and_no_row_was_dropped_needlessly(rows: list[tuple[int, str]]) -> None:
    table = table_of(rows)
    kept = drop_leaking(table, KEPT)
    assert find_crossing(kept, KEPT).groups == 0
    assert (kept["split"] == "test").sum() == (table["split"] == "test").sum()
    tested, kept_validation = (set(kept["group"][kept["split"] == name]) for name in ("test", "val"))
    for row in table[~table["path"].isin(kept["path"])].itertuples():
        assert row.group in tested or (row.split == "train" and row.group in kept_validation)


# 8 train and 2 validation images of two groups; 20 % of 12 are to validate: too few, so both are drawn again
FEW = table_of([*[(1, "train")] * 4, *[(2, "train")] * 4, (1, "val"), (2, "val"), (3, "test"), (4, "test")])


@pytest.mark.parametrize(("split", "redrawn"), [({"validation": 0.3}, True), ({"folds": 2}, True), ({}, False)])
def test_train_and_validation_are_one_split_if_they_are_drawn_again(split: dict[str, Any], redrawn: bool) -> None:
    data = rule("fail", **split)
    found = find_crossing(FEW, data.split)
    assert set(splits_in_use(FEW, data.split)) == ({"train", "test"} if redrawn else {"train", "val", "test"})
    assert (found.groups, found.validation_total) == ((0, 0) if redrawn else (2, 2))
    assert len(drop_leaking(FEW, data.split)) == (12 if redrawn else 4)


def test_the_sentence_leaves_out_validation_images_if_there_are_none() -> None:
    found = find_crossing(LEAKING, rule("fail", folds=2).split)
    assert (found.groups, found.test, found.validation_total) == (2, 3, 0)
    assert found.sentence().startswith("2 groups are in more than one split: 3 of 4 test images have a copy")
    assert found.sentence().endswith("validation")


@settings(max_examples=60)
@given(ROWS, st.integers(1, 3), st.floats(0.05, 0.6), st.integers(0, 99))
def test_after_dropping_and_splitting_no_group_crosses(
    rows: list[tuple[int, str]], folds: int, validation: float, seed: int
) -> None:
    table, split = table_of(rows), rule("drop", folds=folds, validation=validation).split
    try:
        found, _ = assign_splits(drop_leaking(table, split), split, seed)
    except UserError:  # too little is left to be split
        return
    side = found["split"].where((found["split"] == "test") | (folds == 1), found["fold"].astype(str))
    assert side.groupby(found["group"]).nunique().max() == 1


@settings(max_examples=40)
@given(st.integers(0, 2**20), st.booleans())
def test_regrouping_keeps_groups_whole_and_the_published_shares(seed: int, with_validation: bool) -> None:
    names = ["train"] * 6 + ["test"] * 2 + (["val"] * 2 if with_validation else [])
    groups = [number for number in range(40) for _ in range(5)]
    rng = pd.Series(names).sample(200, replace=True, random_state=seed)
    table = table_of(list(zip(groups, rng, strict=True)))
    regrouped, split, (warning,) = resolved(table, rule("regroup"))
    assert warning.startswith("split again by group, because ")
    found, _ = assign_splits(regrouped, split, seed)
    assert find_crossing(found, KEPT).groups == 0
    assert len(found) == len(table)
    shares = {name: (table["split"] == name).mean() for name in ("val", "test")}
    if not with_validation:
        shares["val"] = 0.2 * (1 - shares["test"])
    for name, share in shares.items():
        assert abs((found["split"] == name).sum() - 200 * share) <= 10  # two groups of five


def test_regrouping_keeps_the_number_of_folds() -> None:
    _, split, _ = resolved(LEAKING, rule("regroup", folds=4))
    assert (split.method, split.folds) == ("random", 4)
    assert split.test == pytest.approx(4 / 12)
    assert split.validation == pytest.approx(3 / 12)
