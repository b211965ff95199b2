"""The curve of each variant's score against the number of training images, and what twice as many would bring."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.comparison.evaluation_set import EvaluationSet
from medtransfer.comparison.inputs import StageOutputs
from medtransfer.comparison.pairs import freedom_of_difference, influence_of_difference
from medtransfer.comparison.results import FRACTION_PAIRS, FRACTIONS, PROJECTIONS
from medtransfer.comparison.scores import Scores, score
from medtransfer.statistics.intervals import standard_error, transformed_interval
from medtransfer.statistics.metrics import METRICS
from medtransfer.statistics.paired_tests import holm
from medtransfer.statistics.power_law import LEAST_POINTS, fit_power_laws, p_of_fit
from medtransfer.study import Study
from medtransfer.util.seeds import generator

TWICE = 2.0
LEAST_P = 0.01
"""A power law that fits worse than this is not extended."""

LEAST_GROUPS, LEAST_RESAMPLES, MOST_CONDITION = 10, 100, 1e12


@dataclass(frozen=True)
class Curve:
    """Scores of a variant by fraction, in ascending order, its mean numbers of images, and its trainings of each.

    chance: by fraction, the part of the variance over trainings that is due to the choice of test images.
    """

    fractions: list[float]
    images: list[float]
    scores: list[Scores]
    trainings: int
    chance: list[float]


def fraction_tables(
    study: Study, inputs: StageOutputs, scores: dict[str, Scores], test: EvaluationSet
) -> dict[str, pd.DataFrame]:
    """Return `fractions`, `fraction_pairs` and `projections` of a comparison."""
    metric = study.params.comparison.metric
    curves = {
        name: _curve(study, name, inputs, scores[name], test)
        for name, variant in study.variants.items()
        if len(variant.strategy.fractions) > 1
    }
    rows, projected = [], []
    for name, curve in curves.items():
        for fraction, images, found in zip(curve.fractions, curve.images, curve.scores, strict=True):
            estimate = found.estimates[metric]
            row = {"variant": name, "fraction": fraction, "images": images, "sd": estimate.spread}
            rows.append(row | estimate.columns("value"))
        projected.append({"variant": name, **projection(curve, metric, test, study.params.study.seed)})
    return {
        "fractions": pd.DataFrame(rows, columns=FRACTIONS),
        "fraction_pairs": _pairs(curves, metric, test),
        "projections": pd.DataFrame(projected, columns=PROJECTIONS),
    }


def _curve(study: Study, name: str, inputs: StageOutputs, largest: Scores, test: EvaluationSet) -> Curve:
    metric, card = study.params.comparison.metric, inputs.cards[name]
    compute = METRICS[metric].compute
    *smaller, last = study.variants[name].strategy.fractions
    predictions = [*(inputs.smaller[name][fraction] for fraction in smaller), inputs.predictions[name]]
    tests = [each.of_role("test") for each in predictions]
    scores = [score(each, test, (metric,)) for each in tests[: len(smaller)]]
    runs = [[run for run in card["smaller_runs"] if run["fraction"] == each] for each in smaller] + [card["runs"]]
    return Curve(
        fractions=[*smaller, last],
        images=[float(np.mean([run["images"] for run in each])) for each in runs],
        scores=[*scores, largest],
        trainings=int(tests[-1].table.groupby("path").size().iloc[0]),
        chance=[
            variance_by_chance(np.array([compute(run) for run in each.outcomes(test.resamples)])) for each in tests
        ],
    )


def variance_by_chance(resampled: np.ndarray) -> float:
    """Return the variance over trainings that the choice of test images alone explains.

    It is how much the differences of trainings from their mean vary over resamples; resampled: [trainings, resamples].
    """
    trainings = len(resampled)
    if trainings < 2:
        return np.nan
    apart = resampled - resampled.mean(axis=0)
    return float(np.nanvar(apart, axis=1).mean()) * trainings / (trainings - 1)


def projection(curve: Curve, metric: str, test: EvaluationSet, seed: int) -> dict[str, Any]:
    """Return the score at twice the images, with its interval and the gain; or the reason why there is no projection.

    The interval covers the choice of test images, by their resamples, and the spread of trainings, whose standard
    deviation is assumed to be proportional to the error and is estimated from all points.
    """
    where: dict[str, Any] = {"images": TWICE * curve.images[-1], "reason": ""}
    if reason := _lacking(curve, metric, test):
        return where | {"reason": reason}
    bounds, lower = METRICS[metric].bounds, METRICS[metric].lower_is_better
    best, sign = (bounds.low, 1.0) if lower else (bounds.high, -1.0)
    estimates = [each.estimates[metric] for each in curve.scores]
    errors = sign * (np.array([each.value for each in estimates]) - best)
    drawn = sign * (_resampled(curve, metric) - best)
    spreads = np.array([each.spread for each in estimates])
    relative = float(np.mean((spreads**2 - np.array(curve.chance)) / errors**2))
    training = max(relative, 0.0) * errors**2 / curve.trainings
    covariance = np.cov(drawn, rowvar=False) * test.groups / (test.groups - 1) + np.diag(training)
    if np.linalg.cond(covariance) > MOST_CONDITION:
        return where | {"reason": "a point without uncertainty cannot be weighed"}
    noise = generator("projection", seed).normal(size=drawn.shape) * np.sqrt(training)
    law = fit_power_laws(np.array(curve.images), np.vstack([errors, drawn + noise]), covariance)
    p = p_of_fit(law, len(errors))
    if p < LEAST_P:
        return where | {"reason": f"no power law fits the points (p = {p:.2g})"}
    projected = best + sign * law.at(TWICE)
    freedom = min(test.freedom(METRICS[metric].average), float((curve.trainings - 1) * len(errors)))
    error = standard_error(projected[1:], test.groups)
    low, high = transformed_interval(float(projected[0]), error, freedom, test.settings.confidence, bounds)
    gains = projected - (best + sign * law.at(1.0))
    gain = test.differences(gains[:1], gains[1:, None], freedom)
    found = {"value": float(projected[0]), "value_low": low, "value_high": high, "gain": float(gains[0])}
    return where | found | {"gain_low": float(gain.low[0]), "gain_high": float(gain.high[0])}


def _resampled(curve: Curve, metric: str) -> np.ndarray:
    """Return the values in the resamples in which all of them are defined: [resamples, fractions]."""
    resampled = np.array([each.resampled[metric] for each in curve.scores]).T
    return resampled[np.isfinite(resampled).all(axis=1)]


def _lacking(curve: Curve, metric: str, test: EvaluationSet) -> str:
    """Return why a curve has no projection; empty if it has one."""
    bounds, lower = METRICS[metric].bounds, METRICS[metric].lower_is_better
    best = bounds.low if lower else bounds.high
    estimates = [each.estimates[metric] for each in curve.scores]
    if len(np.unique(curve.images)) < LEAST_POINTS:
        return f"needs {LEAST_POINTS} or more fractions with different numbers of images"
    if any(np.isnan(each.spread) for each in estimates):
        return "needs two or more seeds; with one, the spread between trainings is not known"
    if not np.isfinite(best):
        return f"{metric} has no best value"
    if any(each.value == best for each in estimates):
        return "a point without errors cannot be weighed"
    if test.groups < LEAST_GROUPS or len(_resampled(curve, metric)) < LEAST_RESAMPLES:
        return "too few groups of test images"
    return ""


def _pairs(curves: dict[str, Curve], metric: str, test: EvaluationSet) -> pd.DataFrame:
    """Test the differences between variants at each fraction that both have; Holm's rule corrects over all of them."""
    rows: list[dict[str, Any]] = []
    freedom = freedom_of_difference(metric, test)
    for a, b in combinations(curves, 2):
        for fraction in sorted({*curves[a].fractions} & {*curves[b].fractions}):
            at = {name: curves[name].scores[curves[name].fractions.index(fraction)] for name in (a, b)}
            found = test.differences(
                np.array([at[a].estimates[metric].value - at[b].estimates[metric].value]),
                (at[a].resampled[metric] - at[b].resampled[metric])[:, None],
                freedom,
                influence_of_difference(metric, at, a, [b]),
            )
            tested = {"difference": found.value[0], "low": found.low[0], "high": found.high[0], "p": found.p[0]}
            rows.append({"fraction": fraction, "a": a, "b": b, **tested})
    table = pd.DataFrame(rows, columns=FRACTION_PAIRS)
    return table.assign(p_corrected=holm(table["p"].to_numpy(float)))
