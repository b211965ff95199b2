"""A variant's scores: the values of evaluation, intervals by their kind, and tasks that have no classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_fscore_support

from medtransfer.comparison.metrics import METRICS
from medtransfer.comparison.scores import Outcomes, Scores, classification_outcomes, score
from medtransfer.comparison.test_set import TestSet, draw_test_set
from medtransfer.statistics.intervals import wilson_interval
from medtransfer.tasks.classes.metrics import classification_metrics
from medtransfer.tasks.names import BINARY_METRICS, MASK_METRICS

from .conftest import CLASSES, drawn_predictions


def scored(runs: int, single: bool = False, skill: float = 1.0, classes: int = 3) -> tuple[Scores, TestSet, Outcomes]:
    tests = drawn_predictions(skill, 0, runs, classes).of_role("test")
    images = tests.images.assign(group=tests.images["path"]) if single else tests.images
    test = draw_test_set(images, tuple(CLASSES[:classes]), 300, np.random.default_rng(0))
    outcomes = classification_outcomes(tests)
    return score(outcomes, test, 0.95), test, outcomes


@pytest.mark.parametrize("classes", [2, 3])
def test_values_are_means_over_runs_of_the_metrics_that_evaluation_gives(classes: int) -> None:
    found, test, outcomes = scored(3, classes=classes)
    assert outcomes.probabilities is not None
    by_run = [classification_metrics(test.labels, scores) for scores in outcomes.probabilities]
    assert set(found.estimates) == set(METRICS) - set(MASK_METRICS) - (set(BINARY_METRICS) if classes == 3 else set())
    for name, estimate in found.estimates.items():
        values = [run[name] for run in by_run]
        assert estimate.value == pytest.approx(np.mean(values), abs=1e-9), name
        assert estimate.spread == pytest.approx(np.std(values, ddof=1), abs=1e-9), name
        assert estimate.low <= estimate.value <= estimate.high, name
    assert {values.shape for values in found.resampled.values()} == {(300,)}
    assert set(found.estimates) - set(found.resampled) == (set(BINARY_METRICS) if classes == 2 else set())


def test_a_resample_is_the_mean_over_runs_of_its_images() -> None:
    found, test, outcomes = scored(2)
    assert outcomes.probabilities is not None
    drawn = np.repeat(np.arange(len(test.images)), test.resamples.counts[4][test.resamples.group].astype(int))
    by_run = [classification_metrics(test.labels[drawn], scores[drawn]) for scores in outcomes.probabilities]
    for name, values in found.resampled.items():
        assert values[4] == pytest.approx(np.mean([run[name] for run in by_run]), abs=1e-5), name


@pytest.mark.parametrize("classes", [2, 3])
def test_classes_that_are_told_apart_without_an_error_have_intervals_of_their_groups(classes: int) -> None:
    found, test, _ = scored(2, classes=classes, skill=60.0)
    for name in ("roc_auc", "pr_auc", "balanced_accuracy"):
        estimate = found.estimates[name]
        assert (estimate.value, estimate.high) == (1.0, 1.0)
        trials = test.freedom_of_classes + 1
        assert estimate.low == pytest.approx(0.025 ** (1 / trials)), name


def test_accuracy_of_one_run_of_single_images_is_a_plain_proportion() -> None:
    found, test, _ = scored(1, single=True)
    right = round(found.estimates["accuracy"].value * 90)
    expected = wilson_interval(right, 90, 0.95)
    assert (found.estimates["accuracy"].low, found.estimates["accuracy"].high) == expected
    assert found.estimates["recall_weighted"].low == expected[0]
    assert np.isnan(found.estimates["accuracy"].spread)
    in_groups, grouped, _ = scored(1)
    assert (in_groups.estimates["accuracy"].low, grouped.groups) != (expected[0], test.groups)


def test_the_standard_error_of_accuracy_is_that_of_its_groups() -> None:
    found, test, outcomes = scored(2)
    assert outcomes.right is not None
    by_group = outcomes.right.mean(axis=0).reshape(30, 3).mean(axis=1)
    expected = by_group.std(ddof=1) / np.sqrt(30)
    assert found.estimates["accuracy"].error == pytest.approx(expected, rel=0.15)  # 300 resamples: 4 % each way
    assert test.groups == 30
    np.testing.assert_array_equal(found.right, outcomes.right.sum(axis=0).reshape(30, 3).sum(axis=1))


def test_classes_have_their_own_precision_recall_and_f1() -> None:
    found, test, outcomes = scored(1)
    assert outcomes.probabilities is not None
    expected = precision_recall_fscore_support(test.labels, outcomes.probabilities[0].argmax(axis=1))
    for name, values in zip(("precision", "recall", "f1"), expected, strict=False):
        assert [estimate.value for estimate in found.of_classes[name]] == pytest.approx(list(values), abs=1e-9)
        for estimate in found.of_classes[name]:
            assert 0 <= estimate.low < estimate.value < estimate.high <= 1


def test_a_model_that_is_always_right_has_an_interval_that_says_how_little_that_is() -> None:
    found, _, _ = scored(2, skill=50.0)
    accuracy = found.estimates["accuracy"]
    assert (accuracy.value, accuracy.error, accuracy.high) == (1.0, 0.0, 1.0)
    assert accuracy.low == pytest.approx(0.025 ** (1 / 30))


def test_a_task_without_classes_has_the_metrics_that_are_means_over_images() -> None:
    rng = np.random.default_rng(0)
    images = pd.DataFrame({"path": [str(number) for number in range(40)], "group": np.arange(40) // 2})
    test = draw_test_set(images, (), 200, rng)
    values = rng.random((3, 40))
    found = score(Outcomes({"brier": values}), test, 0.95)
    assert set(found.estimates) == {"brier"}
    estimate = found.estimates["brier"]
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.spread == pytest.approx(values.mean(axis=1).std(ddof=1))
    assert estimate.low < estimate.value < estimate.high
    assert (found.right, found.influence, found.of_classes, test.warnings) == (None, None, {}, [])
