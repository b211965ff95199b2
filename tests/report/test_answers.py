"""Which test images are chosen to be shown."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medtransfer.report.answers import (
    MOST_IN_POOL,
    MOST_OF_A_PAIR,
    ClassAnswers,
    MaskAnswers,
    distinguishing_images,
)
from medtransfer.report.material import Material

from .study import VARIANTS

CORRECT = arrays(bool, st.tuples(st.integers(0, 40), st.integers(2, 5)))
DICE = arrays(float, st.tuples(st.integers(1, 12), st.integers(2, 4)), elements=st.floats(0, 1))


@given(CORRECT)
def test_every_pair_that_differs_has_an_image_to_show(correct: np.ndarray) -> None:
    pool = distinguishing_images(correct)
    assert len(pool) == len(set(pool)) <= MOST_IN_POOL
    for better, worse in permutations(range(correct.shape[1]), 2):
        differing = np.flatnonzero(correct[:, better] & ~correct[:, worse])
        assert len(set(differing) & set(pool)) >= min(len(differing), MOST_OF_A_PAIR // 2)


def test_counts_of_pairs_are_those_of_the_table(material: Material) -> None:
    table = material.found.images
    answers = ClassAnswers(table, list(VARIANTS))
    wide = {name: table[table["variant"] == name].set_index("path") for name in VARIANTS}
    for first, better in enumerate(VARIANTS):
        for second, worse in enumerate(VARIANTS):
            ours, theirs = (wide[name]["predicted"] == wide[name]["label"] for name in (better, worse))
            assert answers.only_correct()[first, second] == (ours & ~theirs).sum()


def mask_answers(dice: np.ndarray) -> MaskAnswers:
    names = [f"v{number}" for number in range(dice.shape[1])]
    rows = [
        {"variant": name, "path": f"{row:02}", "truth_pixels": 1, "found_pixels": 1, "dice": dice[row, number]}
        for number, name in enumerate(names)
        for row in range(len(dice))
    ]
    return MaskAnswers(pd.DataFrame(rows), names)


@given(DICE)
def test_each_pair_of_variants_has_its_largest_difference_to_show(dice: np.ndarray) -> None:
    answers = mask_answers(dice)
    pool = answers.distinguishing(1000)
    assert len(pool) == len(set(pool))
    for a, b in permutations(range(dice.shape[1]), 2):
        gaps = answers.dice.iloc[:, a] - answers.dice.iloc[:, b]
        assert gaps.loc[pool].max() == gaps.max()


@given(DICE)
def test_the_hardest_images_have_the_lowest_best_dice(dice: np.ndarray) -> None:
    shown = [int(path) for path in mask_answers(dice).hardest(3)]
    assert sorted(dice.max(axis=1)[shown]) == sorted(dice.max(axis=1))[:3]
