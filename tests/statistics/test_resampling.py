"""Resamples: groups stay whole, and sums and means are those of a loop over the drawn images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtransfer.statistics.resampling import BLOCK, draw, the_sample

GROUPS = st.lists(st.integers(0, 6), min_size=1, max_size=30)


@given(GROUPS, st.integers(0, 99))
def test_as_many_groups_are_drawn_as_there_are(groups: list[int], seed: int) -> None:
    names = np.array([f"patient{number}" for number in groups])
    found = draw(names, 20, np.random.default_rng(seed))
    assert found.groups == len(set(groups))
    assert found.counts.shape == (20, found.groups)
    assert (found.counts.sum(axis=1) == found.groups).all()
    assert (found.counts == np.round(found.counts)).all()


@given(GROUPS)
def test_images_with_the_same_name_are_a_group(groups: list[int]) -> None:
    found = the_sample(np.array([f"patient{number}" for number in groups]))
    same = found.group[:, None] == found.group
    np.testing.assert_array_equal(same, np.array(groups)[:, None] == np.array(groups))


def test_every_group_is_drawn_once_on_average() -> None:
    counts = draw(np.repeat(np.arange(20), [1, 9] * 10), 4000, np.random.default_rng(0)).counts
    assert np.abs(counts.mean(axis=0) - 1).max() < 0.08  # a mean of 4000 has a standard error of .016
    assert counts.var(axis=0).mean() == pytest.approx(19 / 20, abs=0.02)


@given(GROUPS, st.integers(0, 99))
def test_sums_and_means_are_those_of_a_loop_over_drawn_images(groups: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(len(groups), 2))
    found = draw(np.array(groups), 5, rng)
    for drawn, total, mean in zip(found.counts, found.totals(values), found.means(values), strict=True):
        images = np.repeat(np.arange(len(groups)), drawn[found.group].astype(int))
        np.testing.assert_allclose(total, values[images].sum(axis=0), atol=1e-4)
        np.testing.assert_allclose(mean, values[images].mean(axis=0), atol=1e-5)


@given(GROUPS, st.integers(0, 99))
def test_tallies_are_those_of_a_loop_over_drawn_images(groups: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    place = rng.integers(0, 5, len(groups))
    found = draw(np.array(groups), 5, rng)
    for drawn, tally in zip(found.counts, found.tally(place, 4), strict=True):
        places = np.repeat(place, drawn[found.group].astype(int))
        np.testing.assert_array_equal(tally, np.bincount(places, minlength=5)[:4])


def test_the_sample_itself_is_in_double_precision() -> None:
    values = np.random.default_rng(0).normal(size=(50, 3))
    found = the_sample(np.arange(50) // 3)
    np.testing.assert_allclose(found.means(values)[0], values.mean(axis=0), rtol=1e-14)


def test_blocks_are_the_counts_in_order() -> None:
    found = draw(np.arange(7), BLOCK + 10, np.random.default_rng(0))
    assert [block.shape for block in found.blocks] == [(7, BLOCK), (7, 10)]
    np.testing.assert_array_equal(np.concatenate(found.blocks, axis=1).T, found.counts)


@pytest.mark.parametrize(("images", "size"), [(60_000, 2), (70_000, 4)])
def test_the_integers_of_blocks_can_count_all_images(images: int, size: int) -> None:
    (block,) = draw(np.zeros(images, int), 3, np.random.default_rng(0)).blocks
    assert block.dtype.itemsize == size
