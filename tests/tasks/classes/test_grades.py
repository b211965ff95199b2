"""The metrics of ordered classes against scikit-learn, scipy and counting, on every kind of run and in resamples."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from medtransfer.statistics.metrics import METRICS
from medtransfer.statistics.resampling import draw, the_sample
from medtransfer.tasks.classes.metrics import ClassOutcomes

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
GRADES = 5


def mean_over_labels(values: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean([values[labels == grade].mean() for grade in np.unique(labels)]))


def quadratic_kappa(labels: np.ndarray, predicted: np.ndarray) -> float:
    if len({*labels, *predicted}) < 2:
        return math.nan  # scikit-learn divides 0 by 0, too
    return float(metrics.cohen_kappa_score(labels, predicted, labels=range(GRADES), weights="quadratic"))


EXPECTED: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "kappa_quadratic": quadratic_kappa,
    "mae_grades": metrics.mean_absolute_error,
    "balanced_mae_grades": lambda labels, found: mean_over_labels(np.abs(labels - found), labels),
    "within_one": lambda labels, found: float((np.abs(labels - found) < 2).mean()),
    "balanced_within_one": lambda labels, found: mean_over_labels(np.abs(labels - found) < 2, labels),
    "kendall_tau": lambda labels, found: float(stats.kendalltau(labels, found).statistic),
    "accuracy": metrics.accuracy_score,
}


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(0, 3), st.integers(0, 2**20))
def test_values_and_those_of_every_resample_are_those_of_single_test_sets(images: int, spread: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(rng.integers(GRADES), GRADES, images)
    predicted = np.clip(labels + rng.integers(-spread, spread + 1, images), 0, GRADES - 1)
    scores = np.eye(GRADES, dtype=np.float32)[predicted]
    sample = ClassOutcomes(the_sample(np.arange(images)), labels, scores)
    resamples = draw(rng.integers(0, 8, images), 4, rng)
    for name, expected in EXPECTED.items():
        value = METRICS[name].value(sample)
        assert value == pytest.approx(expected(labels, predicted), rel=1e-9, abs=1e-9, nan_ok=True), name
        found = METRICS[name].compute(ClassOutcomes(resamples, labels, scores))
        for one, drawn in zip(found, resamples.counts, strict=True):
            rows = np.repeat(np.arange(images), drawn[resamples.group].astype(int))
            truth = expected(labels[rows], predicted[rows])
            assert one == pytest.approx(truth, rel=1e-5, abs=2e-6, nan_ok=True), name


def test_values_worked_by_hand() -> None:
    labels, predicted = np.array([0, 0, 2, 4]), np.array([0, 2, 1, 4])
    run = ClassOutcomes(the_sample(np.arange(4)), labels, np.eye(GRADES, dtype=np.float32)[predicted])
    found = {name: METRICS[name].value(run) for name in EXPECTED}
    assert found["mae_grades"] == pytest.approx(3 / 4)
    assert found["balanced_mae_grades"] == pytest.approx((1 + 1 + 0) / 3)
    assert (found["within_one"], found["balanced_within_one"]) == pytest.approx((3 / 4, (1 / 2 + 1 + 1) / 3))
    assert found["kappa_quadratic"] == pytest.approx(1 - 5 / 20)  # 20 / 4 is expected by chance
    assert found["kendall_tau"] == pytest.approx((4 - 1) / math.sqrt(5 * 6))
