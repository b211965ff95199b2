"""A variant's scores: the values of evaluation, intervals by their kind, and tasks that have no classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scored import class_metrics

from medtransfer.comparison.evaluation_set import EvaluationSet, draw_evaluation_set
from medtransfer.comparison.scores import Scores, score
from medtransfer.statistics.intervals import wilson_interval
from medtransfer.statistics.metrics import metrics_of
from medtransfer.tasks.classes.predictions import ClassPredictions
from medtransfer.tasks.masks.predictions import MaskPredictions

from .conftest import CLASSES, drawn_predictions


def scored(
    runs: int, single: bool = False, skill: float = 1.0, classes: int = 3
) -> tuple[Scores, EvaluationSet, ClassPredictions]:
    tests = drawn_predictions(skill, 0, runs, classes).tests
    images = tests.images.assign(group=tests.images["path"]) if single else tests.images
    test = draw_evaluation_set(images, tuple(CLASSES[:classes]), 300, np.random.default_rng(0))
    return score(tests, test), test, tests


@pytest.mark.parametrize("classes", [2, 3])
def test_values_are_means_over_runs_of_the_metrics_that_evaluation_gives(classes: int) -> None:
    found, test, tests = scored(3, classes=classes)
    by_run = [class_metrics(test.labels, scores) for scores in tests.replicates]
    assert set(found.estimates) == set(metrics_of("classification", classes)) - {"ece"}
    for name, estimate in found.estimates.items():
        values = [run[name] for run in by_run]
        assert estimate.value == pytest.approx(np.mean(values), abs=1e-9), name
        assert estimate.spread == pytest.approx(np.std(values, ddof=1), abs=1e-9), name
        assert estimate.low <= estimate.value <= estimate.high, name
    assert {values.shape for values in found.resampled.values()} == {(300,)}
    assert set(found.estimates) == set(found.resampled)


def test_a_resample_is_the_mean_over_runs_of_its_images() -> None:
    found, test, tests = scored(2)
    drawn = np.repeat(np.arange(len(test.images)), test.resamples.counts[4][test.resamples.group].astype(int))
    by_run = [class_metrics(test.labels[drawn], scores[drawn]) for scores in tests.replicates]
    for name, values in found.resampled.items():
        assert values[4] == pytest.approx(np.mean([run[name] for run in by_run]), abs=1e-5), name


@pytest.mark.parametrize("classes", [2, 3])
def test_perfectly_separated_classes_have_intervals_by_their_groups(classes: int) -> None:
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
    found, test, tests = scored(2)
    right = tests.replicates.argmax(axis=2) == test.labels
    by_group = right.mean(axis=0).reshape(30, 3).mean(axis=1)
    expected = by_group.std(ddof=1) / np.sqrt(30)
    assert found.estimates["accuracy"].error == pytest.approx(expected, rel=0.15)  # 300 resamples: 4 % each way
    assert test.groups == 30
    np.testing.assert_array_equal(found.right, right.sum(axis=0).reshape(30, 3).sum(axis=1))


def test_perfect_accuracy_has_the_interval_of_as_many_trials_as_groups() -> None:
    found, _, _ = scored(2, skill=50.0)
    accuracy = found.estimates["accuracy"]
    assert (accuracy.value, accuracy.error, accuracy.high) == (1.0, 0.0, 1.0)
    assert accuracy.low == pytest.approx(0.025 ** (1 / 30))


def test_a_task_without_classes_has_the_metrics_that_are_means_over_images() -> None:
    rng = np.random.default_rng(0)
    images = pd.DataFrame({"path": [f"{number:02}" for number in range(40)], "group": np.arange(40) // 2})
    test = draw_evaluation_set(images, (), 200, rng)
    values = rng.random((3, 40))
    columns = dict.fromkeys(metrics_of("segmentation"), 0.5)
    rows = [images.assign(fold=0, seed=seed, role="test", **columns | {"dice": run}) for seed, run in enumerate(values)]
    found = score(MaskPredictions(pd.concat(rows)), test)
    assert set(found.estimates) == set(columns)
    estimate = found.estimates["dice"]
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.spread == pytest.approx(values.mean(axis=1).std(ddof=1))
    assert estimate.low < estimate.value < estimate.high
    assert (found.right, found.influence, test.warnings) == (None, None, [])


def test_groups_of_several_sizes_are_left_out_in_turn() -> None:
    tests = drawn_predictions(1.0, 0, 2, 3).tests
    number = tests.table["path"].str[5:8].astype(int)
    tests = ClassPredictions(tests.table.assign(group=np.sqrt(number).astype(int).astype(str)))  # of 1, 3, 5, … images
    test = draw_evaluation_set(tests.images, tuple(CLASSES), 300, np.random.default_rng(0))
    found = score(tests, test)
    assert len(found.left_out["accuracy"]) == test.groups
    right = (tests.replicates.argmax(axis=2) == test.labels).mean(axis=0)
    groups = test.images["group"].to_numpy()
    names = np.unique(groups)
    without = np.array([right[groups != name].mean() for name in names])
    expected = np.sqrt((len(names) - 1) / len(names) * ((right.mean() - without) ** 2).sum())
    assert found.estimates["accuracy"].error == pytest.approx(expected)
    assert scored(2)[0].left_out == {}, "groups of one size"
