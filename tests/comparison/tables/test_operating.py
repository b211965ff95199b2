"""Operating points and decision curves of a binary task, from stored predictions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_score, recall_score

from medtransfer.comparison.evaluation_set import EvaluationSet, draw_evaluation_set
from medtransfer.comparison.tables.operating import decision_curves, operating_points, treating_without_a_model
from medtransfer.statistics.intervals import wilson_interval
from medtransfer.statistics.thresholds import THRESHOLD_RULES, THRESHOLDS
from medtransfer.tasks.classes.predictions import ClassPredictions

from ..conftest import CLASSES, drawn_predictions


def set_of(predictions: ClassPredictions, single: bool = False) -> EvaluationSet:
    images = predictions.tests.images
    images = images.assign(group=images["path"]) if single else images
    return draw_evaluation_set(images, tuple(CLASSES[:2]), 300, np.random.default_rng(0))


def test_rates_are_those_of_each_runs_own_threshold_from_validation_rows() -> None:
    predictions = drawn_predictions(1.0, 0, 2, classes=2)
    table = operating_points("v", predictions, set_of(predictions)).set_index("rule")
    assert table.index.tolist() == list(THRESHOLD_RULES)
    validation, tests = predictions.of_role("validation").runs(), predictions.tests.runs()
    for rule, choose in THRESHOLD_RULES.items():
        thresholds = {run: choose(labels == 1, scores[:, 1]) for run, (labels, scores) in validation.items()}
        called = {run: scores[:, 1] >= thresholds[run] for run, (_, scores) in tests.items()}
        row = table.loc[rule]
        assert row["threshold"] == pytest.approx(np.mean(list(thresholds.values())))
        expected = {
            "sensitivity": [recall_score(tests[run][0], calls) for run, calls in called.items()],
            "specificity": [recall_score(tests[run][0], calls, pos_label=0) for run, calls in called.items()],
            "precision": [precision_score(tests[run][0], calls) for run, calls in called.items()],
        }
        for rate, values in expected.items():
            assert row[rate] == pytest.approx(np.mean(values), abs=1e-9)
            assert row[f"{rate}_low"] < row[rate] < row[f"{rate}_high"]
    assert set(table["positive"]) == {"mass"}


def test_one_run_of_single_images_has_wilsons_intervals() -> None:
    predictions = drawn_predictions(1.0, 0, 1, classes=2)
    row = operating_points("v", predictions, set_of(predictions, single=True)).iloc[0]
    positives = int((predictions.tests.images["label"] == 1).sum())
    expected = wilson_interval(round(row["sensitivity"] * positives), positives, 0.95)
    assert (row["sensitivity_low"], row["sensitivity_high"]) == pytest.approx(expected)


def test_without_both_classes_in_validation_there_is_no_threshold() -> None:
    predictions = drawn_predictions(1.0, 0, 1, classes=2)
    table = predictions.table
    without = ClassPredictions(table[(table["role"] == "test") | (table["label"] == 0)])
    assert operating_points("v", without, set_of(predictions)).empty
    assert operating_points("v", predictions.tests, set_of(predictions)).empty


def test_net_benefit_is_in_its_interval_and_at_low_thresholds_is_that_of_treating_all() -> None:
    predictions = drawn_predictions(1.0, 0, 2, classes=2)
    test = set_of(predictions)
    curve = decision_curves("v", predictions.tests, test)
    everyone = treating_without_a_model(test)
    assert curve["x"].tolist() == THRESHOLDS.tolist()
    assert ((curve["low"] <= curve["y"]) & (curve["y"] <= curve["high"])).all()
    treat_all = everyone[everyone["variant"] == "treat all"]
    prevalence = test.labels.mean()
    np.testing.assert_allclose(
        treat_all["y"], prevalence - (1 - prevalence) * THRESHOLDS / (1 - THRESHOLDS), atol=1e-12
    )
    assert curve["y"].iloc[0] == pytest.approx(treat_all["y"].iloc[0], abs=0.01)
    assert (everyone.loc[everyone["variant"] == "treat none", "y"] == 0).all()
