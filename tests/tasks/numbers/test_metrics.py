"""Metrics of numbers against scikit-learn and SciPy, on samples and on every resample."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference

from medtransfer.statistics.metrics import METRICS, metrics_of
from medtransfer.statistics.resampling import Resamples, draw, the_sample
from medtransfer.tasks.numbers import metrics as own
from medtransfer.tasks.numbers.metrics import NumberOutcomes

Pair = tuple[np.ndarray, np.ndarray]


def lin(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return Lin's concordance as it is written in his paper."""
    (first, shared), (_, second) = np.cov(truth, predicted, ddof=0)
    return float(2 * shared / (first + second + (truth.mean() - predicted.mean()) ** 2))


REFERENCE = {
    "mae": reference.mean_absolute_error,
    "rmse": reference.root_mean_squared_error,
    "r2": reference.r2_score,
    "pearson": lambda truth, predicted: stats.pearsonr(truth, predicted).statistic,
    "spearman": lambda truth, predicted: stats.spearmanr(truth, predicted).statistic,
    "concordance": lin,
}


def numbers(seed: int, kind: str) -> Pair:
    rng = np.random.default_rng(seed)
    truth = rng.normal(180, 60, 70) if kind != "grades" else rng.integers(0, 19, 70).astype(float)
    predicted = truth * rng.uniform(0.5, 1.1) + rng.normal(0, 20 if kind == "noisy" else 2, 70)
    return truth, predicted.round() if kind == "grades" else predicted


def outcomes(pair: Pair, weights: Resamples, reach: float = 10.0) -> NumberOutcomes:
    truth, predicted = pair
    return NumberOutcomes(weights, truth, predicted, predicted - reach, predicted + reach)


@pytest.mark.parametrize("name", REFERENCE)
@pytest.mark.parametrize("kind", ["exact", "noisy", "grades"])
def test_a_metric_is_that_of_scikit_learn_or_scipy(name: str, kind: str) -> None:
    for seed in range(3):
        pair = numbers(seed, kind)
        found = METRICS[name].value(outcomes(pair, the_sample(np.arange(70))))
        assert found == pytest.approx(float(REFERENCE[name](*pair)), abs=1e-9)


@pytest.mark.parametrize("name", REFERENCE)
@pytest.mark.parametrize("kind", ["noisy", "grades"])
def test_a_resample_counts_an_image_as_often_as_its_group_is_drawn(name: str, kind: str) -> None:
    pair, groups = numbers(5, kind), np.arange(70) // 3
    weights = draw(groups, 12, np.random.default_rng(0))
    found = METRICS[name].compute(outcomes(pair, weights))
    for value, counts in zip(found, weights.counts, strict=True):
        rows = np.repeat(np.arange(70), counts[groups].astype(int))
        expected = float(REFERENCE[name](pair[0][rows], pair[1][rows]))
        assert value == pytest.approx(expected, rel=2e-5)  # resamples are summed in single precision


def test_ranks_of_many_images_are_computed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = draw(np.arange(70), 12, np.random.default_rng(0))
    whole = METRICS["spearman"].compute(outcomes(numbers(5, "grades"), weights))
    monkeypatch.setattr(own, "CELLS", 200)
    assert np.array_equal(METRICS["spearman"].compute(outcomes(numbers(5, "grades"), weights)), whole)


def test_a_constant_prediction_has_errors_but_no_correlation() -> None:
    truth = np.array([1.0, 2.0, 6.0])
    run = outcomes((truth, np.full(3, 2.1)), the_sample(np.arange(3)))
    found = {name: metric.value(run) for name, metric in metrics_of("regression").items()}
    assert found["mae"] == pytest.approx((1.1 + 0.1 + 3.9) / 3)
    assert found["r2"] == pytest.approx(reference.r2_score(truth, np.full(3, 2.1)))
    assert found["concordance"] == 0
    assert np.isnan([found["pearson"], found["spearman"]]).all()


def test_intervals_count_the_images_they_hold_and_unknown_ones_are_unknown() -> None:
    truth, predicted = np.array([0.0, 10.0, 20.0, 30.0]), np.array([1.0, 15.0, 20.0, 24.0])
    weights = the_sample(np.arange(4))
    assert METRICS["interval_coverage"].value(outcomes((truth, predicted), weights, reach=5.0)) == 0.75
    assert METRICS["interval_width"].value(outcomes((truth, predicted), weights, reach=5.0)) == 10.0
    unknown = outcomes((truth, predicted), weights, reach=np.nan)
    assert np.isnan(METRICS["interval_coverage"].value(unknown))
    assert np.isnan(METRICS["interval_width"].value(unknown))
