"""How far each variant's probabilities can be believed, as they are and with a temperature from validation rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medtransfer.comparison.results import CALIBRATION, RELIABILITY, frame
from medtransfer.comparison.scores import Outcomes, classification_outcomes
from medtransfer.comparison.test_set import TestSet
from medtransfer.statistics.calibration import (
    CALIBRATION_BINS,
    calibrated_errors,
    expected_calibration_error,
    fit_temperature,
    reliability,
    scale,
)
from medtransfer.statistics.intervals import standard_error, transformed_interval
from medtransfer.tasks.classes.predictions import Predictions
from medtransfer.util.seeds import generator

DRAWS = 1000


def calibration_tables(
    name: str, predictions: Predictions, plain: Outcomes, test: TestSet, seed: int, confidence: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give a variant's rows of `Comparison.calibration` and `Comparison.reliability`.

    plain: the outcomes on the test set as predicted. Where a run has no validation rows there is no temperature, and
    nothing scaled.
    """
    scaled, temperatures = _scaled(predictions)
    tables = [_bins(name, False, plain, test, confidence)]
    row: dict[str, Any] = {"variant": name} | _errors(plain)
    row |= _reference(plain, confidence, generator("calibration", seed, name))
    if scaled is not None:
        outcomes = classification_outcomes(scaled)
        tables.append(_bins(name, True, outcomes, test, confidence))
        row["temperature"] = float(np.mean(temperatures))
        row |= {f"{metric}_scaled": value for metric, value in _errors(outcomes).items()}
    return frame(CALIBRATION, [row]), pd.concat(tables, ignore_index=True)


def _scaled(predictions: Predictions) -> tuple[Predictions | None, list[float]]:
    """Give the test predictions of every run at the temperature that suits its validation rows."""
    validation, tests = predictions.of_role("validation").runs(), predictions.of_role("test").runs()
    if not tests.keys() <= validation.keys():
        return None, []
    temperatures = {run: fit_temperature(*validation[run]) for run in tests}
    softened = {run: scale(scores, temperatures[run]) for run, (_, scores) in tests.items()}
    return predictions.of_role("test").with_probabilities(softened), list(temperatures.values())


def _errors(outcomes: Outcomes) -> dict[str, float]:
    """Give the calibration error, log loss and Brier score, mean over runs."""
    assert outcomes.labels is not None and outcomes.probabilities is not None
    errors = [expected_calibration_error(outcomes.labels, scores) for scores in outcomes.probabilities]
    return {"ece": float(np.mean(errors))} | {name: float(values.mean()) for name, values in outcomes.values.items()}


def _reference(outcomes: Outcomes, confidence: float, rng: np.random.Generator) -> dict[str, float]:
    """Give the calibration error of a calibrated model, mean over runs.

    On average, what it seldom exceeds, and the p value of the hypothesis that the model is calibrated.
    """
    assert outcomes.labels is not None and outcomes.probabilities is not None
    drawn = [calibrated_errors(scores.max(axis=1), DRAWS, rng) for scores in outcomes.probabilities]
    errors = [expected_calibration_error(outcomes.labels, scores) for scores in outcomes.probabilities]
    larger = [(reference >= error).sum() for reference, error in zip(drawn, errors, strict=True)]
    return {
        "ece_null": float(np.mean(drawn)),
        "ece_null_high": float(np.mean([np.quantile(reference, confidence) for reference in drawn])),
        "p_calibrated": float(np.mean(larger) + 1) / (DRAWS + 1),
    }


def _bins(name: str, scaled: bool, outcomes: Outcomes, test: TestSet, confidence: float) -> pd.DataFrame:
    assert outcomes.labels is not None and outcomes.probabilities is not None
    found = reliability(outcomes.labels, outcomes.probabilities, test.resamples)
    rows = []
    for number in np.flatnonzero(found.images):
        error = standard_error(found.resampled[:, number], test.groups)
        freedom = max(float(found.groups[number]) - 1, 1.0)
        low, high = transformed_interval(float(found.accuracy[number]), error, freedom, confidence)
        rows.append(
            {
                "variant": name,
                "scaled": scaled,
                "bin": int(number),
                "from": number / CALIBRATION_BINS,
                "to": (number + 1) / CALIBRATION_BINS,
                "images": int(found.images[number]),
                "confidence": found.confidence[number],
                "accuracy": found.accuracy[number],
                "accuracy_low": low,
                "accuracy_high": high,
            }
        )
    return frame(RELIABILITY, rows)
