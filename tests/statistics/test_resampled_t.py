"""The corrected resampled t test: by hand, and against the plain t test that it corrects."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from medtransfer.statistics.paired_tests import corrected_resampled_t_test


def test_an_example_worked_by_hand() -> None:
    # mean .04, variance .001; t = .04 / sqrt((1/5 + 1/4) x .001) = 1.8856, 4 degrees of freedom
    differences = np.array([0.0, 0.02, 0.04, 0.06, 0.08])
    assert corrected_resampled_t_test(differences, 0.25) == pytest.approx(2 * stats.t.sf(0.04 / math.sqrt(0.00045), 4))


def test_without_shared_training_images_it_is_the_plain_t_test() -> None:
    differences = np.random.default_rng(0).normal(0.1, 0.2, 10)
    expected = stats.ttest_1samp(differences, 0).pvalue
    assert corrected_resampled_t_test(differences, 0.0) == pytest.approx(expected, abs=1e-12)
    assert corrected_resampled_t_test(differences, 0.25) > expected


def test_equal_differences_have_p_zero_and_a_single_fold_has_nan() -> None:
    assert corrected_resampled_t_test(np.zeros(3), 0.25) == 1.0
    assert corrected_resampled_t_test(np.full(3, 0.5), 0.25) == 0.0
    assert math.isnan(corrected_resampled_t_test(np.array([0.1]), 0.25))
