"""Each variant's metrics: their values, their intervals, and their values in every resample."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from medtransfer.comparison.evaluation_set import EvaluationSet
from medtransfer.statistics.intervals import (
    SHARE,
    Bounds,
    jackknife,
    jackknifed,
    joint_freedom,
    standard_error,
    tail_freedom,
    transformed_interval,
    wilson_interval,
)
from medtransfer.statistics.metrics import metrics_of
from medtransfer.statistics.resampling import Resamples
from medtransfer.tasks.predictions import Predictions


@dataclass(frozen=True)
class Estimate:
    """A value, the mean over runs; its standard deviation over runs; its standard error and interval over images.

    freedom: the degrees of freedom of the standard error.
    """

    value: float
    spread: float
    error: float
    low: float
    high: float
    freedom: float = math.nan

    def columns(self, name: str) -> dict[str, float]:
        """Return value and interval as the columns `name`, `name_low` and `name_high` of a table."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


@dataclass(frozen=True)
class Scores:
    """The metrics of one variant.

    estimates: by metric. resampled: float [resamples] by metric, the mean over runs. right: int [groups], the images
    predicted right, summed over runs; influence: float [groups], on the area under the ROC curve; None if the task does
    not define them. left_out: influences of the groups, float [groups] by metric, if the test set is jackknifed; see
    `EvaluationSet.without`.
    """

    estimates: dict[str, Estimate]
    resampled: dict[str, np.ndarray]
    right: np.ndarray | None
    influence: np.ndarray | None
    left_out: dict[str, np.ndarray] = field(default_factory=dict)


def score(tests: Predictions, test: EvaluationSet, only: Collection[str] = ()) -> Scores:
    """Compute all metrics of a variant's test rows, their intervals, and their values in every resample.

    only: the names of those to compute, if not all.
    """
    sample, drawn = tests.outcomes(test.sample), tests.outcomes(test.resamples)
    right, influence = [run.right for run in sample], [run.influence for run in sample]
    joined = None if influence[0] is None else np.mean(influence, axis=0)
    lacking = [] if test.without is None else tests.outcomes(test.without)
    estimates, resampled, left_out = {}, {}, {}
    for name, metric in metrics_of(tests.task, len(test.classes), test.settings.requested).items():
        if not metric.has_interval or (only and name not in only):
            continue
        runs = np.array([metric.value(run) for run in sample])
        resampled[name] = np.mean([metric.compute(run) for run in drawn], axis=0)
        freedom, without = test.freedom(metric.average), None
        if lacking:
            without = np.mean([metric.compute(run) for run in lacking], axis=0)
            left_out[name] = jackknife(runs.mean(), without)
        elif metric.average == "pairs" and joined is not None:
            freedom = joint_freedom(freedom, tail_freedom(joined), test.groups)
        if isinstance(metric.average, int) and not test.groups_of_class[metric.average]:
            runs = np.full_like(runs, np.nan)
        proportion = metric.proportion and len(runs) == 1 and test.single
        trials = len(test.images) * proportion
        estimates[name] = estimate(runs, resampled[name], freedom, test, metric.bounds, trials, without)
    by_image = None if right[0] is None else np.sum(right, axis=0)
    by_group = None if by_image is None else np.bincount(test.sample.group, weights=by_image).astype(int)
    return Scores(estimates, resampled, by_group, joined, left_out)


def estimate(
    runs: np.ndarray,
    resampled: np.ndarray,
    freedom: float,
    test: EvaluationSet,
    bounds: Bounds = SHARE,
    trials: int = 0,
    without: np.ndarray | None = None,
) -> Estimate:
    """Estimate a mean over runs from its values in resamples; with `trials`, as a proportion, by Wilson's rule.

    without: float [groups], its values without each group, from which the error is jackknifed if all are defined.
    """
    confidence = test.settings.confidence
    value, error = float(runs.mean()), standard_error(resampled, test.groups)
    if without is not None and np.isfinite(without).all():
        error, freedom = jackknifed(jackknife(value, without), freedom)
    elif math.isinf(bounds.low) and math.isfinite(bounds.high) and value < bounds.high:
        # of a value without a lower bound, resamples of little variety have no mean: their logarithm has
        below = np.log(np.maximum(bounds.high - resampled, np.finfo(float).tiny))
        error = standard_error(below, test.groups) * (bounds.high - value)
    spread = float(runs.std(ddof=1)) if len(runs) > 1 else float("nan")
    if trials:
        return Estimate(value, spread, error, *wilson_interval(round(value * trials), trials, confidence), freedom)
    return Estimate(value, spread, error, *transformed_interval(value, error, freedom, confidence, bounds), freedom)


def estimates_of(
    values: Callable[[Resamples], Sequence[np.ndarray]],
    test: EvaluationSet,
    freedoms: Sequence[float],
    bounds: Bounds = SHARE,
    undefined: float = math.nan,
) -> list[Estimate]:
    """Estimate several values, one per item of `freedoms`.

    values: returns for each run the values in each resample, [resamples, values], nan where not defined. undefined:
    what they are if the test set itself leaves them undefined.
    """
    runs, resampled = np.concatenate(values(test.sample)), np.mean(values(test.resamples), axis=0)
    left = None if test.without is None else np.mean(values(test.without), axis=0)
    runs = np.where(np.isnan(runs), undefined, runs)
    return [
        estimate(runs[:, each], resampled[:, each], freedom, test, bounds, 0, None if left is None else left[:, each])
        for each, freedom in enumerate(freedoms)
    ]
