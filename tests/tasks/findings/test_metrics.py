"""Metrics of findings against scikit-learn on random inputs with missing values, alone and in resamples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve, roc_auc_score

from medtransfer.statistics.metrics import metrics_of
from medtransfer.statistics.resampling import Resamples, draw, the_sample
from medtransfer.tasks.findings.metrics import FindingOutcomes
from medtransfer.tasks.findings.predictions import FindingPredictions, best_thresholds, finding_columns
from medtransfer.tasks.predictions import rows_of_run


def random_outcomes(seed: int, images: int = 40, findings: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return truth with missing values, probabilities with ties, and calls; each finding is both present and absent."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((images, findings)) < rng.uniform(0.1, 0.6, findings)).astype(float)
    truth[0], truth[1] = 1, 0
    hidden = rng.random(truth.shape) < 0.2
    hidden[:2] = False
    truth[hidden] = np.nan
    probabilities = np.round(0.3 * np.nan_to_num(truth, nan=0.5) + 0.7 * rng.random(truth.shape), 1).astype(np.float32)
    return truth, probabilities, probabilities >= rng.uniform(0.3, 0.7, findings).astype(np.float32)


def by_scikit_learn(truth: np.ndarray, probabilities: np.ndarray, called: np.ndarray) -> dict[str, float]:
    known = np.isfinite(truth)
    columns = [(truth[of, each], probabilities[of, each], called[of, each]) for each, of in enumerate(known.T)]
    wrong = known & (called != (truth == 1))
    some = known.any(axis=1)
    return {
        "roc_auc": np.mean([roc_auc_score(own, scores) for own, scores, _ in columns]),
        "pr_auc": np.mean([average_precision_score(own, scores) for own, scores, _ in columns]),
        "f1_macro": np.mean([f1_score(own, calls, zero_division=0) for own, _, calls in columns]),
        "roc_auc_micro": roc_auc_score(truth[known], probabilities[known]),
        "pr_auc_micro": average_precision_score(truth[known], probabilities[known]),
        "f1_micro": f1_score(truth[known], called[known], zero_division=0),
        "subset_accuracy": np.mean([not row.any() for row in wrong[some]]),
        "hamming_loss": np.mean(called[known] != truth[known]),
    }


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_metric_equals_scikit_learn_alone_and_in_a_resample(seed: int) -> None:
    truth, probabilities, called = random_outcomes(seed)
    groups = np.arange(len(truth)) // 2
    weights = draw(groups, 3, np.random.default_rng(seed))
    weights = Resamples(weights.group, np.vstack([np.ones(weights.groups), weights.counts]))
    run = FindingOutcomes(weights, truth, probabilities, called)
    found = {name: metric.compute(run) for name, metric in metrics_of("multilabel").items()}
    for number, counts in enumerate(weights.counts):
        rows = np.repeat(np.arange(len(truth)), counts[weights.group].astype(int))
        if not all({0, 1} <= set(truth[rows, each]) for each in range(truth.shape[1])):
            continue
        expected = by_scikit_learn(truth[rows], probabilities[rows], called[rows])
        assert {name: found[name][number] for name in expected} == pytest.approx(expected, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_thresholds_have_the_best_f1(seed: int) -> None:
    truth, probabilities, _ = random_outcomes(seed)
    for number, threshold in enumerate(best_thresholds(truth, probabilities)):
        known = np.isfinite(truth[:, number])
        own, scores = truth[known, number], probabilities[known, number]
        precision, recall, _ = precision_recall_curve(own, scores)
        best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))
        assert f1_score(own, scores >= threshold) == pytest.approx(best)


def test_the_influence_of_one_finding_sums_to_delongs_variance() -> None:
    truth, probabilities, called = random_outcomes(5, findings=1)
    run = FindingOutcomes(the_sample(np.arange(len(truth))), truth, probabilities, called)
    known = np.isfinite(truth[:, 0])
    own, scores = truth[known, 0] == 1, probabilities[known, 0]
    beaten = (scores[own][:, None] > scores[~own]) + (scores[own][:, None] == scores[~own]) / 2
    expected = beaten.mean(axis=1).var(ddof=1) / own.sum() + beaten.mean(axis=0).var(ddof=1) / (~own).sum()
    assert (run.influence**2).sum() == pytest.approx(expected)


def test_thresholds_come_from_the_validation_rows_of_each_run() -> None:
    images = pd.DataFrame({"path": ["a", "b", "c", "d"], "group": list("abcd")})
    truth = np.array([[1.0], [0.0], [1.0], [np.nan]])
    parts = []
    for seed, shift in ((0, 0.0), (1, 0.4)):
        scores = np.array([[0.3], [0.1], [0.35], [0.2]]) + shift
        own = finding_columns(truth, scores, ["x"])
        parts += [rows_of_run(images, own, 0, seed, role) for role in ("validation", "test")]
    tests = FindingPredictions(pd.concat(parts, ignore_index=True)).tests
    assert {run: float(value[0]) for run, value in tests.thresholds.items()} == pytest.approx(
        {(0, 0): 0.3, (0, 1): 0.7}
    )
    summary = tests.summary()
    assert summary["mean"]["f1_micro"] == summary["mean"]["subset_accuracy"] == 1
    assert summary["classes"]["x"] == {"roc_auc": 1.0, "pr_auc": 1.0, "f1": 1.0, "images": 2}
