"""Splits and folds of random tables: groups stay whole, every part has its share of every class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from medtransfer.data.split import LEAST_VALIDATION, assign_splits, usable_validation
from medtransfer.study import Split
from medtransfer.util.errors import UserError

SEEDS = st.integers(0, 99)
QUICKLY = settings(max_examples=40)


def table_of(groups: list[tuple[str, int, str | None]]) -> pd.DataFrame:
    """Make a table of groups of (label, size, published split), each group of one label and split."""
    rows = [
        {"label": label, "group": f"group{number:03}", "split": split}
        for number, (label, size, split) in enumerate(groups)
        for _ in range(size)
    ]
    table = pd.DataFrame(rows)
    paths = [f"{row:04}.png" for row in range(len(table))]
    return table.assign(path=paths, strata=table["label"].map(lambda label: (label,)))


@st.composite
def tables(draw: st.DrawFn, published: bool = False) -> pd.DataFrame:
    """Draw 6 to 15 groups of 1 to 6 images for each of 2 or 3 classes."""
    splits = st.sampled_from(["train", "val", "test"]) if published else st.none()
    groups = [
        (label, draw(st.integers(1, 6)), draw(splits))
        for label in "abc"[: draw(st.integers(2, 3))]
        for _ in range(draw(st.integers(6, 15)))
    ]
    return table_of(groups)


@st.composite
def mixed_tables(draw: st.DrawFn) -> pd.DataFrame:
    """Draw 8 to 40 groups of up to 9 images, whose classes and published splits are any at all."""
    rows = [
        (f"group{number:03}", draw(st.sampled_from("abc")), draw(st.sampled_from(["train", "train", "val", "test"])))
        for number in range(draw(st.integers(8, 40)))
        for _ in range(draw(st.integers(1, 9)))
    ]
    table = pd.DataFrame(rows, columns=["group", "label", "split"])
    paths = [f"{row:04}.png" for row in range(len(table))]
    return table.assign(path=paths, strata=table["label"].map(lambda label: (label,)))


@st.composite
def splits(draw: st.DrawFn) -> Split:
    """Draw any split that the parameters allow."""
    method = draw(st.sampled_from(["published", "random", "kfold"]))
    test, validation = draw(st.floats(0.1, 0.5)), draw(st.floats(0.05, 0.4))
    return split_of(
        method=method, test=test, validation=validation, folds=draw(st.integers(3 if method == "kfold" else 1, 5))
    )


def split_of(**fields: Any) -> Split:
    return Split.model_validate({"method": "random", "test": 0.3, "validation": 0.2} | fields)


def parts_of_groups(table: pd.DataFrame, column: str) -> set[int]:
    return set(table.groupby("group")[column].nunique())


def assert_shares(table: pd.DataFrame, column: str, shares: dict[Any, float]) -> None:
    """Assert that each class's count in each part is within its largest group of its exact share."""
    for _, rows in table.groupby("label"):
        largest = rows["group"].value_counts().iloc[0]
        for part, share in shares.items():
            assert abs((rows[column] == part).sum() - share * len(rows)) <= largest + 1e-9


def drawn_parts(table: pd.DataFrame, split: Split) -> list[tuple[pd.Series, str, dict[Any, float]]]:
    """List the draws: their rows, their column and their shares; first splits, then folds."""
    rest, all_rows = table["split"] != "test", table["split"].notna()
    drawn: list[tuple[pd.Series, str, dict[Any, float]]] = []
    if split.method == "random":
        shares = {"train": 1 - split.test - split.validation, "val": split.validation, "test": split.test}
        drawn.append((all_rows, "split", shares))
    elif split.method == "published" and split.folds == 1:
        drawn.append((rest, "split", {"train": 1 - split.validation, "val": split.validation}))
    if split.folds > 1:
        drawn.append((rest, "fold", dict.fromkeys(range(split.folds), 1 / split.folds)))
    return drawn


@settings(max_examples=150)
@given(mixed_tables(), splits(), SEEDS)
def test_every_split_that_can_be_made_keeps_groups_whole_and_class_shares_within_one_groups_size(
    table: pd.DataFrame, split: Split, seed: int
) -> None:
    assume(split.method != "published" or split.folds > 1 or not usable_validation(table, split))
    try:
        found, _ = assign_splits(table, split, seed)
    except UserError:
        assume(False)
    for rows, column, shares in drawn_parts(found, split):
        part = found[rows]
        assert parts_of_groups(part, column) == {1}
        largest = part["group"].value_counts().iloc[0]
        for _, of_class in part.groupby("label"):
            for name, share in shares.items():
                assert abs((of_class[column] == name).sum() - share * len(of_class)) <= largest + 1e-9


@QUICKLY
@given(tables(), SEEDS)
def test_random_splits_keep_groups_whole_and_class_shares(table: pd.DataFrame, seed: int) -> None:
    found, notes = assign_splits(table, split_of(), seed)
    assert parts_of_groups(found, "split") == {1}
    assert_shares(found, "split", {"train": 0.5, "val": 0.2, "test": 0.3})
    assert set(found["fold"]) == {-1}
    assert notes == []


@QUICKLY
@given(tables(), st.integers(3, 5), SEEDS)
def test_rotating_folds_keep_groups_whole_and_divide_every_class(table: pd.DataFrame, folds: int, seed: int) -> None:
    found, notes = assign_splits(table, split_of(method="kfold", folds=folds), seed)
    assert set(found["split"]) == {"rotating"}
    assert parts_of_groups(found, "fold") == {1}
    assert_shares(found, "fold", dict.fromkeys(range(folds), 1 / folds))
    assert notes == []


@QUICKLY
@given(tables(), SEEDS)
def test_folds_of_a_random_split_leave_the_test_rows_out(table: pd.DataFrame, seed: int) -> None:
    plain, _ = assign_splits(table, split_of(), seed)
    found, _ = assign_splits(table, split_of(folds=2), seed)
    test = found["split"] == "test"
    pd.testing.assert_series_equal(found["split"], plain["split"])
    assert set(found["fold"][test]) == {-1}
    assert set(found["fold"][~test]) == {0, 1}
    assert parts_of_groups(found, "fold") == {1}
    assert_shares(found[~test], "fold", {0: 0.5, 1: 0.5})


@QUICKLY
@given(tables(), SEEDS, SEEDS)
def test_the_order_of_rows_changes_nothing(table: pd.DataFrame, seed: int, order: int) -> None:
    split = split_of(folds=2)
    expected, _ = assign_splits(table, split, seed)
    shuffled = table.sample(frac=1, random_state=order).reset_index(drop=True)
    found, _ = assign_splits(shuffled, split, seed)
    pd.testing.assert_frame_equal(found.sort_values("path", ignore_index=True), expected)


def test_another_seed_draws_another_split() -> None:
    table = table_of([("a", 2, None), ("b", 1, None)] * 20)
    first, second = (assign_splits(table, split_of(), seed)[0] for seed in (0, 1))
    assert (first["split"] != second["split"]).any()


@QUICKLY
@given(tables(published=True), SEEDS)
def test_a_published_split_is_kept_except_that_validation_rows_may_be_drawn_again(
    table: pd.DataFrame, seed: int
) -> None:
    split = split_of(method="published")
    if not {"train", "test"} <= set(table["split"]):
        with pytest.raises(UserError, match=r"but the set has no (train|test) images"):
            assign_splits(table, split, seed)
        return
    before = table.copy()
    found, notes = assign_splits(table, split, seed)
    pd.testing.assert_frame_equal(table, before)
    test = table["split"] == "test"
    assert ((found["split"] == "test") == test).all()
    if usable_validation(table, split):
        pd.testing.assert_series_equal(found["split"], table["split"])
        assert notes == []
        return
    assert parts_of_groups(found, "split") == {1}
    assert_shares(found[~test], "split", {"train": 0.8, "val": 0.2})
    assert len(notes) == 1
    assert f"has {(table['split'] == 'val').sum()} validation images" in notes[0]
    assert f"{(found['split'] == 'val').sum()} were carved" in notes[0]


@pytest.mark.parametrize(
    ("train", "validation", "usable"),
    [(80, 20, True), (81, 19, False), (1000, LEAST_VALIDATION, True), (1000, LEAST_VALIDATION - 1, False)],
)
def test_published_validation_rows_are_used_if_they_are_a_share_or_enough(
    train: int, validation: int, usable: bool
) -> None:
    table = table_of([("a", train, "train"), ("a", validation, "val"), ("b", 500, "test")])
    assert usable_validation(table, split_of(method="published")) == usable


def test_folds_of_a_published_split_rotate_train_and_validation_together() -> None:
    table = table_of([("a", 2, "train"), ("b", 3, "train"), ("a", 1, "val"), ("b", 1, "test")] * 8)
    found, _ = assign_splits(table, split_of(method="published", folds=4), 0)
    pd.testing.assert_series_equal(found["split"], table["split"])
    pool = found[found["split"] != "test"]
    assert set(pool["fold"]) == {0, 1, 2, 3}
    assert_shares(pool, "fold", dict.fromkeys(range(4), 0.25))
    assert set(found["fold"][found["split"] == "test"]) == {-1}


def test_every_row_without_a_published_split_is_listed() -> None:
    table = table_of([("a", 2, "train"), ("b", 2, None), ("b", 2, "test")])
    with pytest.raises(UserError) as raised:
        assign_splits(table, split_of(method="published"), 0)
    assert raised.value.problems == [
        "data.split.method: published, but 2 of 6 images are not in a published split: 0002.png, 0003.png; "
        "data.split.lists and data.files say where they belong"
    ]


def test_a_layout_without_a_published_split_is_an_error_that_names_the_other_methods() -> None:
    with pytest.raises(UserError, match="publishes no split; use random or kfold"):
        assign_splits(table_of([("a", 5, None), ("b", 5, None)]), split_of(method="published"), 0)


@pytest.mark.parametrize(("fields", "parts"), [({}, 3), ({"method": "kfold", "folds": 5}, 5)], ids=["random", "kfold"])
def test_every_class_with_fewer_images_than_parts_is_listed(fields: dict[str, Any], parts: int) -> None:
    table = table_of([("a", 1, None)] * 20 + [("b", 1, None)] * 2 + [("c", 1, None)])
    with pytest.raises(UserError) as raised:
        assign_splits(table, split_of(**fields), 0)
    assert [problem.split(", ")[0] for problem in raised.value.problems] == [
        "data.split: 'b' has 2 images",
        "data.split: 'c' has 1 image",
    ]
    assert all(f"too few for {parts} parts" in problem for problem in raised.value.problems)


def test_fewer_groups_than_parts_are_an_error_that_names_the_largest() -> None:
    table = table_of([("a", 9, None), ("b", 4, None)])
    with pytest.raises(UserError, match="the 13 images are in 2 groups, the largest of 9, which cannot fill 3 parts"):
        assign_splits(table, split_of(), 0)


def test_a_class_in_fewer_groups_than_folds_is_noted() -> None:
    table = table_of([("a", 2, None)] * 9 + [("b", 3, None)] * 2 + [("c", 3, None)])
    _, notes = assign_splits(table, split_of(method="kfold", folds=3), 0)
    (note,) = notes
    assert note.startswith("FEW GROUPS: fewer than 3 groups, one for each fold, contain b (2), c (1); some folds test")


def test_single_images_are_split_almost_exactly() -> None:
    table = table_of([("a", 1, None)] * 100 + [("b", 1, None)] * 20)
    found, _ = assign_splits(table, split_of(), 5)
    counts = pd.crosstab(found["label"], found["split"])
    np.testing.assert_array_equal(counts[["train", "val", "test"]], [[50, 20, 30], [10, 4, 6]])


@QUICKLY
@given(tables(), st.integers(6, 30), SEEDS)
def test_fewer_training_images_are_drawn_by_class_and_whole_groups(table: pd.DataFrame, wanted: int, seed: int) -> None:
    whole, _ = assign_splits(table, split_of(), seed)
    train = whole[whole["split"] == "train"]
    assume(len(train) > wanted)
    fewer, (note,) = assign_splits(table, split_of(train_images=wanted), seed)
    kept = fewer[fewer["split"] == "train"]
    assert f"keeps {len(kept)} of {len(train)}" in note
    dropped = set(train["path"]) - set(kept["path"])
    assert not set(kept["group"]) & set(train["group"][train["path"].isin(dropped)])
    for label, rows in train.groupby("label"):
        exact = wanted / len(train) * len(rows)
        assert abs((kept["label"] == label).sum() - exact) <= rows["group"].value_counts().iloc[0] + 1e-9
    assert (
        fewer[fewer["split"] != "train"]
        .reset_index(drop=True)
        .equals(whole[whole["split"] != "train"].reset_index(drop=True))
    )


def test_more_training_images_than_there_are_is_an_error() -> None:
    table = table_of([(label, 2, None) for label in "ab" for _ in range(8)])
    with pytest.raises(UserError, match="train_images: 1000, but there are only"):
        assign_splits(table, split_of(train_images=1000), 0)
