"""Reliability and the calibration error's bias, against slow counting and a model that is calibrated."""

from __future__ import annotations

import numpy as np
import pytest

from medtransfer.statistics.calibration import (
    CALIBRATION_BINS,
    calibrated_errors,
    expected_calibration_error,
    reliability,
)
from medtransfer.statistics.resampling import draw, the_sample


def calibrated(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw probabilities of three classes, and labels by these probabilities."""
    probabilities = rng.dirichlet(np.ones(3), count)
    labels = (rng.random(count)[:, None] > probabilities.cumsum(axis=1)[:, :2]).sum(axis=1)
    return labels, probabilities


def error_of(labels: np.ndarray, probabilities: np.ndarray) -> float:
    return float(expected_calibration_error(labels, probabilities, the_sample(np.arange(len(labels))))[0])


def test_bins_are_counted_one_image_at_a_time() -> None:
    rng = np.random.default_rng(0)
    labels, probabilities = calibrated(60, rng)
    runs = np.stack([probabilities, rng.permutation(probabilities)])
    resamples = draw(np.arange(60) // 3, 4, rng)
    found = reliability(labels, runs, resamples)
    for number in range(CALIBRATION_BINS):
        inside = [
            (run, image)
            for run in range(2)
            for image in range(60)
            if number / 15 < runs[run, image].max() <= (number + 1) / 15
        ]
        assert found["images"][number] == len(inside)
        if not inside:
            assert np.isnan(found["accuracy"][number])
            continue
        right = np.array([runs[run, image].argmax() == labels[image] for run, image in inside])
        assert found["accuracy"][number] == pytest.approx(right.mean())
        assert found["confidence"][number] == pytest.approx(np.mean([runs[run, image].max() for run, image in inside]))
        assert found["groups"][number] == len({image // 3 for _, image in inside})
        weights = resamples.counts[2][[image // 3 for _, image in inside]]
        if weights.sum():
            assert found["resampled"][2, number] == pytest.approx(np.average(right, weights=weights), rel=1e-5)


def test_the_bins_make_up_the_calibration_error() -> None:
    rng = np.random.default_rng(1)
    labels, probabilities = calibrated(500, rng)
    found = reliability(labels, probabilities[None], draw(np.arange(500), 2, rng))
    gaps = np.nan_to_num(np.abs(found["accuracy"] - found["confidence"])) * found["images"]
    assert gaps.sum() / 500 == pytest.approx(error_of(labels, probabilities))


@pytest.mark.parametrize("count", [139, 2000])
def test_the_reference_is_the_error_of_models_that_are_calibrated(count: int) -> None:
    rng = np.random.default_rng(count)
    errors, means, highs = [], [], []
    for _ in range(300):
        labels, probabilities = calibrated(count, rng)
        errors.append(error_of(labels, probabilities))
        drawn = calibrated_errors(probabilities.max(axis=1), 200, rng)
        means.append(drawn.mean())
        highs.append(np.quantile(drawn, 0.95))
    assert np.mean(means) == pytest.approx(np.mean(errors), rel=0.04)
    assert np.mean(np.array(errors) <= np.array(highs)) == pytest.approx(0.95, abs=0.035)
