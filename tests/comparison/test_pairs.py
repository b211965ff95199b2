"""All pairs: every test, compared with an independent implementation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from medtransfer.comparison.evaluation_set import EvaluationSet, draw_evaluation_set
from medtransfer.comparison.pairs import Folds, all_pairs
from medtransfer.comparison.scores import Scores, score
from medtransfer.statistics.metrics import headline_metrics

from .conftest import CLASSES, drawn_predictions

HEADLINE = headline_metrics("classification")
SKILLS = {"good": 2.0, "fair": 1.2, "poor": 0.5}


def scores_of(runs: int, single: bool = False) -> tuple[dict[str, Scores], EvaluationSet, dict[str, np.ndarray]]:
    predictions = {name: drawn_predictions(skill, key, runs) for key, (name, skill) in enumerate(SKILLS.items())}
    tests = {name: found.of_role("test") for name, found in predictions.items()}
    images = tests["good"].images
    images = images.assign(group=images["path"]) if single else images
    test = draw_evaluation_set(images, tuple(CLASSES), 500, np.random.default_rng(0))
    right = {name: np.stack([run.right for run in found.outcomes(test.sample)]) for name, found in tests.items()}
    return {name: score(found, test) for name, found in tests.items()}, test, right


def test_every_pair_occurs_once_per_metric_and_p_values_are_corrected_over_all_of_them() -> None:
    scores, test, _ = scores_of(2)
    table = all_pairs(scores, HEADLINE, test, None)
    for metric in HEADLINE:
        rows = table[table["metric"] == metric]
        assert list(zip(rows["a"], rows["b"], strict=True)) == [("good", "fair"), ("good", "poor"), ("fair", "poor")]
        np.testing.assert_allclose(rows["p_corrected"], multipletests(rows["p"], method="holm")[1])
        assert rows["different"].tolist() == (rows["p_corrected"] < 0.05).tolist()
        for row in rows.itertuples():
            gap = scores[row.a].estimates[metric].value - scores[row.b].estimates[metric].value
            assert row.difference == pytest.approx(gap)
            assert row.low < row.difference < row.high
            assert (row.low > 0 or row.high < 0) == (row.p < 0.05)


def test_accuracy_in_groups_is_nearly_the_paired_t_test_of_the_groups() -> None:
    scores, test, right = scores_of(2)
    row = all_pairs(scores, ("accuracy",), test, None).iloc[0]
    gaps = (right["good"].mean(axis=0) - right["fair"].mean(axis=0)).reshape(30, 3).mean(axis=1)
    assert row["se"] == pytest.approx(gaps.std(ddof=1) / np.sqrt(30), rel=0.1)
    assert row["p"] == pytest.approx(2 * stats.t.sf(abs(row["difference"]) / row["se"], 29))


def test_one_run_of_single_images_has_mcnemars_exact_test() -> None:
    scores, test, right = scores_of(1, single=True)
    table = all_pairs(scores, ("roc_auc", "accuracy"), test, None)
    row = table[table["metric"] == "accuracy"].iloc[0]
    good, fair = right["good"][0], right["fair"][0]
    counts = pd.crosstab(good, fair).to_numpy()
    assert row["mcnemar_p"] == pytest.approx(mcnemar(counts, exact=True).pvalue, abs=1e-9)
    areas = table[table["metric"] == "roc_auc"]
    assert areas["mcnemar_p"].isna().all()
    assert areas["delong_p"].notna().all()
    # the bootstrap's test and DeLong's are about the same thing, with Student's and the normal quantiles
    np.testing.assert_allclose(areas["p"], areas["delong_p"], atol=0.06)


def test_folds_add_the_corrected_resampled_t_test() -> None:
    scores, test, _ = scores_of(1)
    values = {"good": np.array([0.9, 0.8, 0.85]), "fair": np.array([0.7, 0.75, 0.7]), "poor": np.array([0.5, 0.4, 0.3])}
    table = all_pairs(scores, ("accuracy", "roc_auc"), test, Folds({"accuracy": values}, 0.5))
    row = table.iloc[0]
    gaps = values["good"] - values["fair"]
    expected = 2 * stats.t.sf(gaps.mean() / np.sqrt((1 / 3 + 0.5) * gaps.var(ddof=1)), 2)
    assert row["resampled_t_p"] == pytest.approx(expected, abs=1e-12)
    assert table[table["metric"] == "roc_auc"]["resampled_t_p"].isna().all()


def test_a_variant_does_not_differ_from_itself_and_one_alone_has_no_pairs() -> None:
    scores, test, _ = scores_of(2)
    twins = all_pairs({"one": scores["good"], "two": scores["good"]}, HEADLINE, test, None)
    assert (twins["p"] == 1).all()
    assert (twins["difference"] == 0).all()
    assert not twins["different"].any()
    assert twins["mcnemar_p"].dropna().tolist() == [1.0]
    assert all_pairs({"one": scores["good"]}, HEADLINE, test, None).empty
