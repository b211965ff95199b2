"""Several findings through training, prediction, baselines, tables and figure, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import COMPUTE, tiny_findings
from frozen import CUTMIX, inputs_of, train
from small_study import LINE, params_with

from medtransfer.check import choice_problems
from medtransfer.comparison.evaluation_set import draw_evaluation_set
from medtransfer.comparison.scores import score
from medtransfer.comparison.tables.multilabel import calibration_errors, per_finding_table, sure_errors
from medtransfer.data.prepared import Prepared
from medtransfer.deployment.trained import predict_variant
from medtransfer.study import check_study
from medtransfer.tasks import TASKS
from medtransfer.tasks.findings.losses import FINDING_LOSSES

TASK = TASKS["multilabel"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return tiny_findings(tmp_path_factory.mktemp("findings"))


@pytest.fixture(scope="module")
def constant(prepared: Prepared) -> pd.DataFrame:
    return pd.concat(TASK.baseline_frames("constant", prepared), ignore_index=True)


def test_values_are_the_marks_and_unknown_ones_are_nan(prepared: Prepared) -> None:
    assert prepared.outputs == ["large", "lesion"]
    unknown = np.isnan(prepared.values)
    assert unknown.any(axis=0).tolist() == [True, False]
    assert set(np.unique(prepared.values[~unknown])) == {0, 1}


@pytest.mark.parametrize("kind", list(FINDING_LOSSES))
def test_every_loss_trains_on_mixed_views_and_its_scores_are_those_of_its_predictions(
    prepared: Prepared, tmp_path: Path, kind: str
) -> None:
    inputs = replace(inputs_of(prepared, tmp_path, CUTMIX, loss={"kind": kind}, epochs=2), seeds=[0, 1])
    reported = train(inputs, tmp_path)
    table = pd.concat(predict_variant(inputs.variant, prepared, tmp_path / "model", COMPUTE), ignore_index=True)
    validation = TASK.predictions(table).of_role("validation")
    for (fold, seed), run in validation.by_run().items():
        last = [epoch for one, other, epoch in reported if (one, other) == (fold, seed)][-1]
        truth, scores = (run.table[[f"{start}large", f"{start}lesion"]].to_numpy() for start in ("truth_", "p_"))
        right = np.where(np.isnan(truth), np.nan, (scores > 0.5) == (truth == 1))
        assert np.nanmean(right, axis=1).mean() == pytest.approx(last.validation_score, abs=1e-5)
    found = TASK.summary(table, prepared)
    assert {"roc_auc", "pr_auc", "f1_macro", "roc_auc_micro", "subset_accuracy", "hamming_loss"} <= set(found["mean"])
    history = tmp_path / "model" / "history.csv"
    TASK.figure("tiny", history, table, found, prepared, tmp_path / "tiny.png")
    assert (tmp_path / "tiny.png").stat().st_size > 10_000


def test_baselines_are_frequencies_and_smoothed_neighbours(prepared: Prepared, constant: pd.DataFrame) -> None:
    rates = np.nanmean(prepared.values[prepared.roles(0).train], axis=0)
    np.testing.assert_allclose(
        constant[["p_large", "p_lesion"]].to_numpy(), np.tile(rates, (len(constant), 1)), rtol=1e-5
    )
    assert TASK.predictions(constant).tests.metrics()["roc_auc"] == 0.5
    near = pd.concat(TASK.baseline_frames("nearest_neighbour", prepared), ignore_index=True)
    votes = near["p_lesion"].to_numpy() * 6 - rates[1]
    np.testing.assert_allclose(votes, np.round(votes), atol=1e-4)


def test_tables_have_each_finding_with_the_groups_that_limit_it(prepared: Prepared, constant: pd.DataFrame) -> None:
    tests = TASK.predictions(constant).tests
    members = tests.members
    test = draw_evaluation_set(tests.images, tuple(tests.classes), 200, np.random.default_rng(0), members)
    truth = tests.truth
    for each in range(2):
        sides = [set(tests.images["group"][truth[:, each] == side]) for side in (0, 1)]
        assert test.groups_of_class[each] in map(len, sides)
        assert members[:, each].sum() == min((truth[:, each] == side).sum() for side in (0, 1))
    table = per_finding_table("constant", tests, test)
    assert list(table["finding"]) == ["large", "lesion"]
    assert (table["roc_auc"] == 0.5).all()
    assert list(table["known"]) == np.isfinite(truth).sum(axis=0).tolist()
    found = score(tests, test).estimates
    assert found["roc_auc"].value == 0.5
    assert found["hamming_loss"].low < found["hamming_loss"].value < found["hamming_loss"].high
    wrong = sure_errors("constant", tests)
    assert (wrong["present"] == (wrong["probability"] < 0.5)).all()


def test_the_calibration_error_of_a_finding_by_hand() -> None:
    truth, scores = np.array([[1.0], [0.0], [1.0], [np.nan]]), np.array([[0.62], [0.64], [0.9], [0.1]])
    assert calibration_errors(truth, scores) == pytest.approx([(abs(1 - 0.62 - 0.64) + 0.1) / 3])


FINDINGS = {"study.task": "multilabel", "comparison.metric": "roc_auc", "strategies.frozen.loss": "asymmetric",
            "data.layout": "auto"}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("data.layout", "class_folders", "data.layout: class_folders gives one class; findings need"),
        ("data.order", ["a", "b"], "data: order and labels.positive belong to exclusive classes"),
        ("comparison.metric", "accuracy", "comparison.metric: no metric 'accuracy'; "),
        ("strategies.frozen.sampler", "balanced", "strategies.frozen: sampler: balanced needs one class for each"),
        (
            "strategies.frozen.loss",
            {"kind": "asymmetric", "class_weights": "balanced"},
            "strategies.frozen.loss: asymmetric does not support class_weights",
        ),
        ("variants.head_only", LINE | {"head": "knn"}, "variants.head_only: head: knn "),
        ("data.labels", {"separator": ","}, None),
    ],
)
def test_what_does_not_fit_findings_is_one_line(key: str, value: object, line: str | None) -> None:
    problems = choice_problems(check_study(params_with(FINDINGS | {key: value}), "x"))
    if line is None:
        assert not any("data.labels" in problem for problem in problems)
        (problem,) = choice_problems(check_study(params_with({key: value}), "x"))
        assert problem == "x: data.labels.separator: it does not apply to the labels of this task; omit it"
    else:
        assert any(problem.startswith(f"x: {line}") for problem in problems), problems
