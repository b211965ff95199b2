"""Binary tasks: thresholds chosen on validation rows, and the net benefit of acting on the predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medtransfer.comparison.evaluation_set import EvaluationSet
from medtransfer.comparison.results import CURVES, OPERATING
from medtransfer.comparison.scores import Estimate, estimate
from medtransfer.statistics.intervals import standard_error
from medtransfer.statistics.thresholds import THRESHOLD_RULES, THRESHOLDS, benefit_of_treating, net_benefit_by_image
from medtransfer.tasks.classes.predictions import ClassPredictions

POSITIVE = 1


def operating_points(name: str, predictions: ClassPredictions, test: EvaluationSet) -> pd.DataFrame:
    """Return a variant's rows of `Comparison.operating`; none if the validation rows of a run lack a class."""
    validation = predictions.of_role("validation").runs()
    tests = predictions.tests
    runs = tests.runs()
    if not runs.keys() <= validation.keys() or any(len(np.unique(validation[run][0])) < 2 for run in runs):
        return pd.DataFrame(columns=OPERATING)
    rows = []
    for rule, choose in THRESHOLD_RULES.items():
        thresholds = {run: choose(validation[run][0] == POSITIVE, validation[run][1][:, POSITIVE]) for run in runs}
        above = {run: scores[:, [POSITIVE]] >= thresholds[run] for run, (_, scores) in runs.items()}
        called = {run: np.hstack([~each, each]).astype(np.float32) for run, each in above.items()}
        positive = tests.with_probabilities(called).replicates[:, :, POSITIVE] > 0
        row: dict[str, Any] = {"variant": name, "positive": test.classes[POSITIVE], "rule": rule}
        row["threshold"] = float(np.mean(list(thresholds.values())))
        rows.append(row | _rates(positive, test))
    return pd.DataFrame(rows, columns=OPERATING)


def decision_curves(name: str, tests: ClassPredictions, test: EvaluationSet) -> pd.DataFrame:
    """Return a variant's net benefit with its interval, as rows of `Comparison.curves`."""
    scores = tests.replicates[:, :, POSITIVE]
    return _net_benefit(name, net_benefit_by_image(test.labels == POSITIVE, scores), test)


def treating_without_a_model(test: EvaluationSet) -> pd.DataFrame:
    """Return the net benefit of treating all and of treating none, as rows of `Comparison.curves`."""
    everyone = _net_benefit("treat all", benefit_of_treating(test.labels == POSITIVE), test)
    nobody = pd.DataFrame({"variant": "treat none", "curve": "net_benefit", "x": THRESHOLDS, "y": 0.0})
    return pd.concat([everyone, nobody], ignore_index=True).reindex(columns=CURVES)


def _rates(called: np.ndarray, test: EvaluationSet) -> dict[str, float]:
    """Return sensitivity, specificity and precision of calls [runs, images], each with its interval."""
    truth = test.labels == POSITIVE
    parts = {
        "sensitivity": (called & truth, np.broadcast_to(truth, called.shape)),
        "specificity": (~called & ~truth, np.broadcast_to(~truth, called.shape)),
        "precision": (called & truth, called),
    }
    found: dict[str, float] = {}
    for rate, (right, base) in parts.items():
        found |= _rate(right, base, test).columns(rate)
    return found


def _rate(right: np.ndarray, base: np.ndarray, test: EvaluationSet) -> Estimate:
    """Estimate the share of `base` [runs, images] that is right, mean over runs; nan if a run has no base."""
    trials = base.sum(axis=1)
    if not trials.all():
        return Estimate(*(float("nan"),) * 5)
    with np.errstate(invalid="ignore"):
        resampled, without = (
            None if weights is None else (weights.totals(right.T) / weights.totals(base.T)).mean(axis=1)
            for weights in (test.resamples, test.without)
        )
    assert resampled is not None
    groups = len(np.unique(test.sample.group[base.any(axis=0)]))
    plain = int(trials[0]) if len(base) == 1 and test.single else 0
    shares, freedom = right.sum(axis=1) / trials, max(groups - 1.0, 1.0)
    return estimate(shares, resampled, freedom, test, trials=plain, without=without)


def _net_benefit(name: str, by_image: np.ndarray, test: EvaluationSet) -> pd.DataFrame:
    from scipy.special import stdtrit

    value = by_image.mean(axis=0)
    resampled = test.resamples.means(by_image)
    errors = np.array([standard_error(column, test.groups) for column in resampled.T])
    reach = stdtrit(test.groups - 1, (1 + test.settings.confidence) / 2) * errors
    points: dict[str, Any] = {"x": THRESHOLDS, "y": value, "low": value - reach, "high": value + reach}
    return pd.DataFrame({"variant": name, "curve": "net_benefit"} | points, columns=list(CURVES))
