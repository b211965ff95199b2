"""Dividing rows by group, so that every part has its share of every class."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medtransfer.data.split import partition

PARTS = st.lists(st.integers(1, 10), min_size=2, max_size=6).map(lambda found: np.array(found) / sum(found))
ONE_LABEL_GROUPS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=40)
MIXED_GROUPS = st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=3).filter(any), min_size=1, max_size=40)
ROWS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 3)), min_size=1, max_size=60)


def rows_of(groups: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Lay out groups of (label, size) as rows: their group numbers and labels."""
    sizes = [size for _, size in groups]
    return np.repeat(np.arange(len(groups)), sizes), np.repeat([label for label, _ in groups], sizes)


def assert_near(counts: np.ndarray, shares: np.ndarray, largest: int) -> None:
    """Hold a class's count in each part against its exact share of it; no group has more images than `largest`."""
    over = counts - shares * counts.sum()
    assert (over <= largest + 1e-9).all()
    assert (-over <= np.maximum(1, shares * (len(shares) - 1)) * largest + 1e-9).all()


@given(ROWS, PARTS, st.integers(0, 99))
def test_every_row_has_a_part_and_no_group_is_divided(
    rows: list[tuple[int, int]], shares: np.ndarray, seed: int
) -> None:
    groups, labels = (np.array(column) for column in zip(*rows, strict=True))
    parts = partition(groups, labels, shares, np.random.default_rng(seed))
    assert parts.shape == groups.shape
    assert set(parts) <= set(range(len(shares)))
    assert all(len(set(parts[groups == group])) == 1 for group in groups)


@settings(max_examples=300)
@given(ONE_LABEL_GROUPS, PARTS, st.integers(0, 99))
def test_with_one_label_per_group_each_class_is_within_its_largest_group_of_its_share(
    groups: list[tuple[int, int]], shares: np.ndarray, seed: int
) -> None:
    names, labels = rows_of(groups)
    parts = partition(names, labels, shares, np.random.default_rng(seed))
    for label in np.unique(labels):
        largest = max(size for its_label, size in groups if its_label == label)
        counts = np.bincount(parts[labels == label], minlength=len(shares))
        assert_near(counts, shares, largest)


@settings(max_examples=300)
@given(MIXED_GROUPS, PARTS, st.integers(0, 99))
def test_with_several_labels_per_group_each_class_is_within_the_largest_group_of_its_share(
    groups: list[list[int]], shares: np.ndarray, seed: int
) -> None:
    names = np.repeat(np.arange(len(groups)), [sum(counts) for counts in groups])
    labels = np.concatenate([np.repeat(np.arange(3), counts) for counts in groups])
    parts = partition(names, labels, shares, np.random.default_rng(seed))
    largest = max(sum(counts) for counts in groups)
    for label in np.unique(labels):
        counts = np.bincount(parts[labels == label], minlength=len(shares))
        assert_near(counts, shares, largest)


@given(ROWS, PARTS, st.integers(0, 99))
def test_the_order_of_rows_and_the_names_of_labels_change_nothing(
    rows: list[tuple[int, int]], shares: np.ndarray, seed: int
) -> None:
    groups, labels = (np.array(column) for column in zip(*rows, strict=True))
    parts = partition(groups, labels, shares, np.random.default_rng(seed))
    order = np.random.default_rng(seed + 1).permutation(len(rows))
    names = np.array(["a", "b", "c", "d"])[labels]
    again = partition(groups[order], names[order], shares, np.random.default_rng(seed))
    np.testing.assert_array_equal(again, parts[order])


def test_groups_of_every_size_are_spread_over_all_parts() -> None:
    """Else patients with many images would train and never be tested."""
    sizes = np.repeat([1, 2, 3, 4], [600, 160, 20, 10])
    shares = np.array([0.8, 0.1, 0.1])
    names = np.repeat(np.arange(len(sizes)), sizes)
    parts = partition(names, np.zeros(len(names)), shares, np.random.default_rng(0))
    part_of = parts[np.unique(names, return_index=True)[1]]
    for size in (1, 2, 3, 4):
        counts = np.bincount(part_of[sizes == size], minlength=3)
        np.testing.assert_allclose(counts, shares * counts.sum(), atol=1)


def test_a_class_of_few_groups_is_in_every_part_and_first_in_the_largest() -> None:
    shares = np.array([0.1, 0.7, 0.2])
    for groups, expected in ((1, [0, 1, 0]), (3, [1, 1, 1]), (4, [1, 2, 1])):
        parts = partition(np.arange(groups), np.zeros(groups), shares, np.random.default_rng(0))
        np.testing.assert_array_equal(np.bincount(parts, minlength=3), expected)


def test_single_images_are_divided_almost_exactly() -> None:
    labels = np.repeat([0, 1, 2], [100, 50, 10])
    parts = partition(np.arange(160), labels, np.array([0.7, 0.1, 0.2]), np.random.default_rng(0))
    counts = np.array([np.bincount(parts[labels == label], minlength=3) for label in range(3)])
    np.testing.assert_array_equal(counts, [[70, 10, 20], [35, 5, 10], [7, 1, 2]])


def test_another_seed_draws_another_division() -> None:
    labels = np.repeat([0, 1], 50)
    first, second = (
        partition(np.arange(100), labels, np.array([0.5, 0.5]), np.random.default_rng(seed)) for seed in (0, 1)
    )
    assert (first != second).any()


@pytest.mark.parametrize("seed", range(5))
def test_groups_of_several_labels_are_still_balanced_roughly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 80, 800)
    labels = rng.integers(0, 4, 800)
    parts = partition(groups, labels, np.full(4, 0.25), rng)
    for label in range(4):
        counts = np.bincount(parts[labels == label], minlength=4)
        assert np.abs(counts - counts.mean()).max() <= 25
