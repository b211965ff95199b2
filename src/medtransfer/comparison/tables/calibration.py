"""The calibration of each variant's probabilities, as predicted and with a temperature from validation rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medtransfer.comparison.evaluation_set import EvaluationSet
from medtransfer.comparison.results import CALIBRATION, RELIABILITY
from medtransfer.statistics.calibration import (
    CALIBRATION_BINS,
    calibrated_errors,
    fit_temperature,
    reliability,
    scale,
)
from medtransfer.statistics.intervals import standard_error, transformed_interval
from medtransfer.statistics.metrics import METRICS
from medtransfer.statistics.paired_tests import ROUNDING
from medtransfer.tasks.classes.predictions import ClassPredictions
from medtransfer.util.seeds import generator

DRAWS = 1000


def calibration_tables(
    name: str, predictions: ClassPredictions, test: EvaluationSet, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a variant's rows of `Comparison.calibration` and `Comparison.reliability`.

    Without validation rows of every run there is no temperature, and nothing is scaled.
    """
    tests = predictions.tests
    bins = [_bins(name, False, tests, test)]
    row: dict[str, Any] = {"variant": name} | _mean_errors(tests, test)
    row |= _reference(tests, test, generator("calibration", seed, name))
    temperatures = _temperatures(predictions)
    if temperatures:
        softened = {run: scale(scores, temperatures[run]) for run, (_, scores) in tests.runs().items()}
        scaled = tests.with_probabilities(softened)
        bins.append(_bins(name, True, scaled, test))
        row["temperature"] = float(np.mean(list(temperatures.values())))
        row |= {f"{metric}_scaled": value for metric, value in _mean_errors(scaled, test).items()}
    return pd.DataFrame([row], columns=CALIBRATION), pd.concat(bins, ignore_index=True)


def _temperatures(predictions: ClassPredictions) -> dict[tuple[int, int], float]:
    """Fit the temperature of every run that tests; none if one of them has no validation rows."""
    validation, tests = predictions.of_role("validation").runs(), predictions.tests.by_run()
    return {run: fit_temperature(*validation[run]) for run in tests} if tests.keys() <= validation.keys() else {}


def _mean_errors(tests: ClassPredictions, test: EvaluationSet) -> dict[str, float]:
    """Return the calibration error, log loss and Brier score, mean over runs."""
    return {
        name: float(np.mean([METRICS[name].value(run) for run in tests.outcomes(test.sample)]))
        for name in ("ece", "log_loss", "brier")
    }


def _reference(tests: ClassPredictions, test: EvaluationSet, rng: np.random.Generator) -> dict[str, float]:
    """Return the calibration error of a calibrated model, mean over runs.

    It is given on average and as a quantile, with the p value of the hypothesis that the model is calibrated.
    """
    drawn = [calibrated_errors(scores.max(axis=1), DRAWS, rng) for scores in tests.replicates]
    errors = [METRICS["ece"].value(run) for run in tests.outcomes(test.sample)]
    larger = [(reference >= error - ROUNDING).sum() for reference, error in zip(drawn, errors, strict=True)]
    return {
        "ece_null": float(np.mean(drawn)),
        "ece_null_high": float(np.mean([np.quantile(reference, test.settings.confidence) for reference in drawn])),
        "p_calibrated": float(np.mean(larger) + 1) / (DRAWS + 1),
    }


def _bins(name: str, scaled: bool, tests: ClassPredictions, test: EvaluationSet) -> pd.DataFrame:
    found = reliability(test.labels, tests.replicates, test.resamples)
    rows = []
    for number in np.flatnonzero(found["images"]):
        error = standard_error(found["resampled"][:, number], test.groups)
        freedom, accuracy = max(float(found["groups"][number]) - 1, 1.0), found["accuracy"][number]
        low, high = transformed_interval(float(accuracy), error, freedom, test.settings.confidence)
        row = {"variant": name, "scaled": scaled, "bin": int(number), "images": int(found["images"][number])}
        row |= {"from": number / CALIBRATION_BINS, "to": (number + 1) / CALIBRATION_BINS}
        row |= {"confidence": found["confidence"][number]}
        rows.append(row | {"accuracy": accuracy, "accuracy_low": low, "accuracy_high": high})
    return pd.DataFrame(rows, columns=RELIABILITY)
