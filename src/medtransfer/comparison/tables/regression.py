"""The tables of a regression: each image's number, limits of agreement, and the error by range of the number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.comparison.evaluation_set import FEW_OF_A_CLASS, EvaluationSet
from medtransfer.comparison.results import AGREEMENT, NUMBERS, RANGES
from medtransfer.comparison.scores import estimate, estimates_of
from medtransfer.comparison.tables import TABLES, Tables, TaskTables
from medtransfer.data.targets.numbers import bin_ranges
from medtransfer.statistics.intervals import Bounds
from medtransfer.statistics.resampling import Resamples
from medtransfer.study import Study
from medtransfer.tasks.numbers.agreement import limits_of_agreement
from medtransfer.tasks.numbers.predictions import NumberPredictions

ANY, POSITIVE = Bounds(-math.inf, math.inf), Bounds(0.0, math.inf)
LEAST_FREEDOM = 1.0


class RegressionTables(TaskTables):
    """See `Comparison.numbers`, `Comparison.agreement` and `Comparison.ranges`."""

    def of_variant(self, name: str, predictions: NumberPredictions, test: EvaluationSet, study: Study) -> Tables:
        """Return a variant's rows of each table."""
        tests = predictions.tests
        mean = pd.DataFrame(tests.values.mean(axis=0), columns=["truth", "predicted", "low", "high"])
        numbers = tests.images[["path", "group"]].join(mean).assign(variant=name)
        return {
            "numbers": numbers[list(NUMBERS)],
            "agreement": agreement_table(name, tests, test),
            "ranges": range_table(name, tests, test, study.params.data.unit or ""),
        }

    def of_baseline(self, name: str, predictions: NumberPredictions, test: EvaluationSet, study: Study) -> Tables:
        """Return a baseline's errors by range."""
        return {"ranges": range_table(name, predictions.tests, test, study.params.data.unit or "")}

    def legend(self, about: dict[str, Any]) -> str:
        """Explain errors and intervals."""
        return (
            "R²: 1 - squared error / squared error of the mean of the test images. Lin's concordance: correlation, "
            "reduced by bias and a wrong scale. 95 % intervals: predicted by each run from errors on its validation "
            "rows (split conformal, by group); they need validation rows of 19 groups. "
        )


def agreement_table(name: str, tests: NumberPredictions, test: EvaluationSet) -> pd.DataFrame:
    """Return a variant's row of `Comparison.agreement`."""
    errors = [predicted - truth for truth, predicted, _, _ in tests.values.transpose(0, 2, 1)]

    def limits(weights: Resamples) -> list[np.ndarray]:
        return [limits_of_agreement(error, weights) for error in errors]

    found = estimates_of(limits, test, [test.groups - 1.0] * 3, ANY)
    row: dict[str, Any] = {"variant": name, "images": len(test.images), "groups": test.groups}
    for value, each in zip(("lower", "bias", "upper"), found, strict=True):
        row |= each.columns(value)
    return pd.DataFrame([row], columns=list(AGREEMENT))


def range_table(name: str, tests: NumberPredictions, test: EvaluationSet, unit: str) -> pd.DataFrame:
    """Return the rows of a variant or baseline in `Comparison.ranges`: mean absolute error and bias by range.

    Ranges of too few groups have no intervals.
    """
    truth, errors = tests.values[0, :, 0], tests.values[:, :, 1] - tests.values[:, :, 0]
    ranges = np.array(bin_ranges(truth, unit))
    rows = []
    for label in sorted(set(ranges), key=lambda label: truth[ranges == label].min()):
        inside = ranges == label
        groups = len(np.unique(test.sample.group[inside]))
        row: dict[str, Any] = {"variant": name, "range": label, "images": int(inside.sum()), "groups": groups}
        for value, each, bounds in (("mae", np.abs(errors), POSITIVE), ("bias", errors, ANY)):
            within = np.where(inside, each, np.nan).T
            resampled = test.resamples.means_of_known(within).mean(axis=1)
            without = None if test.without is None else test.without.means_of_known(within).mean(axis=1)
            runs, freedom = each[:, inside].mean(axis=1), max(groups - 1.0, LEAST_FREEDOM)
            found = estimate(runs, resampled, freedom, test, bounds, without=without)
            low, high = (found.low, found.high) if groups >= FEW_OF_A_CLASS else (math.nan, math.nan)
            row |= {value: found.value, f"{value}_low": low, f"{value}_high": high}
        rows.append(row)
    return pd.DataFrame(rows, columns=list(RANGES))


TABLES.register("regression", RegressionTables())
