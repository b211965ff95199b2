"""Calibration tables: temperatures come from validation rows alone, and scaled figures from the same test rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scored import class_metrics

from medtransfer.comparison.evaluation_set import EvaluationSet, draw_evaluation_set
from medtransfer.comparison.tables.calibration import calibration_tables
from medtransfer.statistics.calibration import fit_temperature, scale
from medtransfer.tasks.classes.predictions import ClassPredictions

from ..conftest import CLASSES, drawn_predictions


def set_of(predictions: ClassPredictions) -> EvaluationSet:
    return draw_evaluation_set(predictions.tests.images, tuple(CLASSES), 200, np.random.default_rng(0))


def tables_of(predictions: ClassPredictions) -> tuple[pd.Series, pd.DataFrame]:
    table, bins = calibration_tables("v", predictions, set_of(predictions), 1)
    return table.iloc[0], bins


def test_each_run_is_scaled_by_its_own_validation_rows() -> None:
    predictions = drawn_predictions(1.0, 0, 2)
    row, _ = tables_of(predictions)
    validation, tests = predictions.of_role("validation").runs(), predictions.tests.runs()
    temperatures = {run: fit_temperature(*found) for run, found in validation.items()}
    assert row["temperature"] == pytest.approx(np.mean(list(temperatures.values())))
    plain = [class_metrics(*found) for found in tests.values()]
    scaled = [
        class_metrics(labels, scale(scores, temperatures[run]).astype(np.float32))
        for run, (labels, scores) in tests.items()
    ]
    for metric in ("ece", "log_loss", "brier"):
        assert row[metric] == pytest.approx(np.mean([found[metric] for found in plain]), abs=1e-9)
        assert row[f"{metric}_scaled"] == pytest.approx(np.mean([found[metric] for found in scaled]), abs=1e-9)


def test_test_labels_do_not_affect_the_temperature() -> None:
    predictions = drawn_predictions(1.0, 0, 1)
    table = predictions.table.copy()
    tests = table["role"] == "test"
    table.loc[tests, "label"] = (table.loc[tests, "label"] + 1) % 3
    assert tables_of(ClassPredictions(table))[0]["temperature"] == tables_of(predictions)[0]["temperature"]


def test_each_rotating_fold_has_its_own_temperature() -> None:
    predictions = drawn_predictions(1.0, 0, 1, folds=3)
    row, _ = tables_of(predictions)
    temperatures = [fit_temperature(*found) for found in predictions.of_role("validation").runs().values()]
    assert len(temperatures) == 3
    assert row["temperature"] == pytest.approx(np.mean(temperatures))


def test_the_reference_needs_no_validation_rows() -> None:
    tests_only = drawn_predictions(1.0, 0, 2).tests
    row, bins = tables_of(tests_only)
    assert 0 < row["ece_null"] < row["ece_null_high"] < 0.3
    assert 0 < row["p_calibrated"] <= 1
    assert (row["p_calibrated"] < 0.05) == (row["ece"] > row["ece_null_high"])
    assert np.isnan(row["temperature"])
    assert np.isnan(row["ece_scaled"])
    assert not bins["scaled"].any()


def test_bins_contain_every_image_of_every_run_and_have_intervals() -> None:
    _, bins = tables_of(drawn_predictions(1.0, 0, 2))
    assert bins.groupby("scaled")["images"].sum().to_dict() == {False: 180, True: 180}
    assert ((bins["from"] < bins["confidence"]) & (bins["confidence"] <= bins["to"])).all()
    known = bins.dropna(subset="accuracy_low")
    assert len(known) > 6
    assert ((known["accuracy_low"] <= known["accuracy"]) & (known["accuracy"] <= known["accuracy_high"])).all()
