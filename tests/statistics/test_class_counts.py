"""Counts by class, worked by hand."""

from __future__ import annotations

import numpy as np

from medtransfer.statistics.class_counts import count_classes
from medtransfer.statistics.resampling import the_sample


def test_values_of_classes_worked_by_hand() -> None:
    labels, predicted = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 2])
    counts = count_classes(labels, predicted, 4, the_sample(np.arange(5)))
    np.testing.assert_allclose(counts.precision, [[1, 1 / 2, 0, 0]])
    np.testing.assert_allclose(counts.recall, [[2 / 3, 1 / 2, 0, 0]])
    np.testing.assert_allclose(counts.f1, [[4 / 5, 1 / 2, 0, 0]])
    np.testing.assert_allclose(counts.known("precision"), [[1, 1 / 2, 0, np.nan]])
    np.testing.assert_allclose(counts.known("recall"), [[2 / 3, 1 / 2, np.nan, np.nan]])
    np.testing.assert_allclose(counts.macro(counts.f1), [0.65])
    np.testing.assert_allclose(counts.weighted(counts.f1), [0.68])
