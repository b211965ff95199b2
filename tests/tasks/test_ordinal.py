"""Ordered classes through training, prediction, export and comparison, with every loss, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from builders import COMPUTE, tiny_grades
from frozen import CUTMIX, inputs_of, train
from small_study import LINE, params_with

from medtransfer.check import choice_problems
from medtransfer.data.prepared import Prepared
from medtransfer.deployment.trained import load_run, predict_variant
from medtransfer.study import check_study
from medtransfer.study.schema import Comparison
from medtransfer.tasks import TASKS
from medtransfer.training.losses import GRADE_LOSSES

TASK = TASKS["ordinal"]
METRICS = {
    "accuracy",
    "balanced_accuracy",
    "kappa_quadratic",
    "log_loss",
    "brier",
    "ece",
    "mae_grades",
    "balanced_mae_grades",
    "within_one",
    "balanced_within_one",
    "kendall_tau",
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return tiny_grades(tmp_path_factory.mktemp("grades"))


def test_grades_that_are_numbers_are_in_their_order(prepared: Prepared) -> None:
    assert prepared.classes == ["2", "9", "10"]
    assert [prepared.classes[number] for number in prepared.table["label_index"]] == prepared.table["label"].tolist()


@pytest.mark.parametrize("kind", list(GRADE_LOSSES))
def test_every_loss_trains_on_mixed_views_and_its_scores_are_those_of_its_predictions(
    prepared: Prepared, tmp_path: Path, kind: str
) -> None:
    inputs = replace(inputs_of(prepared, tmp_path, CUTMIX, loss={"kind": kind}, epochs=2), seeds=[0, 1])
    reported = train(inputs, tmp_path)
    table = pd.concat(predict_variant(inputs.variant, prepared, tmp_path / "model", COMPUTE), ignore_index=True)
    validation = TASK.predictions(table).of_role("validation")
    for (fold, seed), run in validation.by_run().items():
        last = [epoch for one, other, epoch in reported if (one, other) == (fold, seed)][-1]
        if kind == "squared_error":  # after training, thresholds are fitted; until then, means are rounded
            (thresholds,) = load_run(tmp_path / "model", fold, seed).head[-1].buffers()
            assert (thresholds.diff() > 0).all()
            continue
        assert run.metrics()["mae_grades"] == pytest.approx(last.validation_score, abs=1e-6)
    found = TASK.summary(table, prepared)
    assert set(found["mean"]) == METRICS
    assert np.sum(found["confusion"]) == 2 * found["test_images"]


@pytest.mark.parametrize("kind", list(GRADE_LOSSES))
def test_the_score_is_the_error_of_the_predicted_grade_in_grades(prepared: Prepared, tmp_path: Path, kind: str) -> None:
    strategy = inputs_of(prepared, tmp_path, {"transforms": []}, loss={"kind": kind}).variant.strategy
    loss = TASK.loss(strategy.loss, prepared, np.arange(6))
    logits = 3 * torch.randn(20, TASK.width(3, strategy.loss), generator=torch.Generator().manual_seed(1))
    labels = torch.arange(20) % 3
    off = TASK.scores(loss.scored(logits), torch.eye(3)[labels])
    predicted = TASK.answers(logits, strategy.loss).argmax(axis=1)
    np.testing.assert_allclose(off.numpy(), np.abs(predicted - labels.numpy()), atol=1e-6)
    assert len(set(predicted.tolist())) == 3


def test_the_baseline_predicts_the_median_grade_of_the_training_images(prepared: Prepared) -> None:
    table = pd.concat(TASK.baseline_frames("constant", prepared), ignore_index=True)
    learned = prepared.table["label_index"].iloc[prepared.roles(0).train]
    scores = table[["p_2", "p_9", "p_10"]].to_numpy()
    assert set(scores.argmax(axis=1)) == {int(np.quantile(learned, 0.5, method="inverted_cdf"))}
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-6)
    found = TASK.predictions(table).tests.metrics()
    assert found["kappa_quadratic"] == pytest.approx(0, abs=1e-9)
    assert np.isnan(found["kendall_tau"])


def test_costs_reach_the_metrics_of_grades(prepared: Prepared) -> None:
    costs = {"2": {"9": 1.0, "10": 3.0}, "9": {"2": 1.0, "10": 1.0}, "10": {"2": 3.0, "9": 1.0}}
    tests = TASK.predictions(pd.concat(TASK.baseline_frames("constant", prepared), ignore_index=True)).tests
    tests = tests.for_comparison(Comparison(metric="cost_weighted_accuracy", costs=costs))
    assert tests.of_role("test").costs == costs


GRADES = {"study.task": "ordinal", "comparison.metric": "kappa_quadratic", "strategies.frozen.loss": "earth_mover"}


def test_a_study_of_grades_has_no_problems() -> None:
    assert choice_problems(check_study(params_with(GRADES), "x")) == []
    costs = {"comparison.costs": {"a": {"b": 1.0}, "b": {"a": 2.0}}, "comparison.metric": "cost_weighted_accuracy"}
    assert choice_problems(check_study(params_with(GRADES | costs), "x")) == []


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("data.layout", "images", "data.layout: images has no labels; ordinal needs a layout with classes"),
        ("data.labels", {"positive": "b"}, "data.labels.positive: grades have an order; set data.order: [LOW"),
        ("comparison.metric", "roc_auc", "comparison.metric: no metric 'roc_auc'; choose from accuracy"),
        ("strategies.frozen.loss", "binary_cross_entropy", "strategies.frozen.loss.kind: no loss 'binary_cross_entro"),
        (
            "strategies.frozen.loss",
            {"kind": "earth_mover", "class_weights": "balanced"},
            "strategies.frozen.loss: earth_mover does not support class_weights",
        ),
        (
            "variants.head_only",
            LINE | {"head": "knn", "loss": "squared_error"},
            "variants.head_only: head: knn is fitted without a loss; omit loss: squared_error",
        ),
    ],
)
def test_what_does_not_fit_grades_is_one_line(key: str, value: object, line: str) -> None:
    (problem,) = choice_problems(check_study(params_with(GRADES | {key: value}), "x"))
    assert problem.startswith(f"x: {line}")
