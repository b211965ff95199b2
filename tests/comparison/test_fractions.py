"""Curves of the score against the number of images: values, tests, projections and reasons against one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medtransfer.comparison.evaluation_set import EvaluationSet, draw_evaluation_set
from medtransfer.comparison.fractions import Curve, projection, variance_by_chance
from medtransfer.comparison.scores import Scores, estimate

GROUPS, RESAMPLES, SEEDS = 150, 200, 3
FRACTIONS = np.array([0.05, 0.1, 0.25, 0.5, 1.0])


@pytest.fixture(scope="module")
def test_set() -> EvaluationSet:
    images = pd.DataFrame({"path": range(GROUPS), "group": range(GROUPS), "label": 0})
    return draw_evaluation_set(images, (), RESAMPLES, np.random.default_rng(0))


def curve_of(test: EvaluationSet, right: np.ndarray) -> Curve:
    """Score trainings by which images they predict right, bool [fractions, seeds, images]."""
    scores, chance = [], []
    for each in right:
        resampled = test.resamples.means(each.T.astype(np.float32))
        found = estimate(each.mean(axis=1), resampled.mean(axis=1), GROUPS - 1.0, test)
        scores.append(Scores({"accuracy": found}, {"accuracy": resampled.mean(axis=1)}, None, None))
        chance.append(variance_by_chance(resampled.T))
    return Curve([*FRACTIONS], [*(1000 * FRACTIONS)], scores, SEEDS, chance)


def drawn(test: EvaluationSet, errors: np.ndarray, rng: np.random.Generator) -> Curve:
    """Draw trainings that are right with these probabilities; those on more images are right where others are."""
    luck = 0.5 * rng.random(GROUPS) + 0.5 * rng.random((SEEDS, GROUPS))
    sorted_luck = np.sort(0.5 * rng.random(100_000) + 0.5 * rng.random(100_000))
    true = np.clip(errors[:, None] * (1 + 0.05 * rng.normal(size=(len(errors), SEEDS))), 0, 1)
    return curve_of(test, luck[None] > np.quantile(sorted_luck, true)[:, :, None])


def projected(curve: Curve, test: EvaluationSet) -> dict[str, Any]:
    return projection(curve, "accuracy", test, 0)


def test_intervals_cover_what_twice_the_images_bring(test_set: EvaluationSet) -> None:
    rng = np.random.default_rng(1)
    errors, truth = 0.08 + 0.12 * FRACTIONS**-0.4, 1 - (0.08 + 0.12 * 2**-0.4)
    found = [projected(drawn(test_set, errors, rng), test_set) for _ in range(80)]
    told = [each for each in found if not each["reason"]]
    assert len(told) >= 60
    covered = [each["value_low"] <= truth <= each["value_high"] for each in told]
    assert 0.87 <= np.mean(covered) <= 1
    assert abs(np.mean([each["value"] for each in told]) - truth) < 0.02
    assert all(each["images"] == 2000 and each["gain"] >= 0 for each in told)
    assert np.mean([each["value_high"] - each["value_low"] for each in told]) < 0.2


def test_no_power_law_no_projection(test_set: EvaluationSet) -> None:
    bent = np.array([0.45, 0.1, 0.45, 0.1, 0.45])
    found = projected(drawn(test_set, bent, np.random.default_rng(0)), test_set)
    assert found["reason"].startswith("no power law fits the points (p = ")
    assert "value" not in found


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda curve: {"images": [10, 10, 10, 20, 30]}, "needs 4 or more fractions"),
        (lambda curve: {"scores": [_of_one_seed(each) for each in curve.scores]}, "needs two or more seeds"),
        (lambda curve: {"scores": [_perfect(curve.scores[0]), *curve.scores[1:]]}, "a point without errors"),
    ],
)
def test_what_a_projection_lacks_is_told(test_set: EvaluationSet, change: Any, reason: str) -> None:
    curve = drawn(test_set, 0.1 + 0.1 * FRACTIONS**-0.4, np.random.default_rng(0))
    assert projected(replace(curve, **change(curve)), test_set)["reason"].startswith(reason)


def _of_one_seed(scores: Scores) -> Scores:
    return replace(scores, estimates={"accuracy": replace(scores.estimates["accuracy"], spread=float("nan"))})


def _perfect(scores: Scores) -> Scores:
    return replace(scores, estimates={"accuracy": replace(scores.estimates["accuracy"], value=1.0)})


def test_the_variance_by_chance_is_that_of_trainings_that_differ_in_nothing_else() -> None:
    rng = np.random.default_rng(0)
    shared, own = rng.normal(size=4000), 0.3 * rng.normal(size=(5, 4000))
    assert variance_by_chance(shared + own) == pytest.approx(0.09, rel=0.05)
    assert np.isnan(variance_by_chance(shared[None]))
