"""The exact test of differences: McNemar's where it is McNemar's, and elsewhere every choice of signs tried."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar

from medtransfer.statistics.paired_tests import sign_flip_test


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 30))
def test_single_images_of_one_run_are_mcnemars_exact_test(gained: int, lost: int, same: int) -> None:
    differences = np.repeat([1, -1, 0], [gained, lost, same])
    expected = mcnemar([[same, lost], [gained, 0]], exact=True).pvalue if gained + lost else 1.0
    assert sign_flip_test(differences) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=60)
@given(st.lists(st.integers(-7, 7), min_size=1, max_size=10))
def test_groups_and_runs_are_the_share_of_all_choices_of_signs(differences: list[int]) -> None:
    values = np.array(differences)
    sums = np.array([np.dot(signs, values) for signs in product([-1, 1], repeat=len(values))])
    expected = (np.abs(sums) >= abs(values.sum())).mean()
    assert sign_flip_test(values) == pytest.approx(expected, abs=1e-12)


def test_a_large_test_set_is_the_normal_limit() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(-5, 6, 5000)
    values[0] += 300 - values.sum()  # a sum of 300 exactly; one value is large, the others as before
    drawn = rng.choice([-1, 1], size=(20000, 5000)).astype(np.int8) @ values
    share = (np.abs(drawn) >= 300).mean()
    assert sign_flip_test(values) == pytest.approx(share, abs=4 * np.sqrt(0.25 / 20000))
