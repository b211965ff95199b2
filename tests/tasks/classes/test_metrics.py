"""Every metric against an independent formula or scikit-learn, on runs of every kind."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import class_metrics, predictions_frame
from sklearn import metrics

from medtransfer.statistics.metrics import METRICS, metrics_of
from medtransfer.statistics.resampling import draw, the_sample
from medtransfer.tasks.classes.metrics import ClassOutcomes
from medtransfer.tasks.classes.predictions import ClassPredictions

Run = tuple[np.ndarray, np.ndarray]
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
BINARY_METRICS = ("sensitivity", "specificity", "precision_positive", "f1_positive")
THOROUGHLY = settings(max_examples=60)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Draw labels and probabilities: 2 to 5 classes, some perhaps absent, scores with ties, right or constant."""
    classes, count = draw(st.integers(2, 5)), draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    present = rng.permutation(classes)[: draw(st.integers(1, classes))]
    labels = rng.choice(present, count)
    kind = draw(st.sampled_from(["random", "ties", "perfect", "wrong", "constant"]))
    if kind == "constant":
        scores = np.tile(rng.dirichlet(np.ones(classes)), (count, 1))
    elif kind == "ties":
        scores = rng.integers(1, 4, (count, classes)).astype(float)
    elif kind in ("perfect", "wrong"):
        scores = np.eye(classes)[labels if kind == "perfect" else (labels + 1) % classes]
    else:
        scores = rng.dirichlet(np.full(classes, 0.5), count)
    return labels, (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


def counts(labels: np.ndarray, predicted: np.ndarray, number: int) -> tuple[int, int, int]:
    """Count true positives, false positives and false negatives of a class, one image after the other."""
    pairs = list(zip(labels.tolist(), predicted.tolist(), strict=True))
    true = sum(label == number == guess for label, guess in pairs)
    false = sum(guess == number != label for label, guess in pairs)
    missed = sum(label == number != guess for label, guess in pairs)
    return true, false, missed


def ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


@THOROUGHLY
@given(runs())
def test_precision_recall_f1_and_accuracy_are_those_of_counting(run: Run) -> None:
    labels, scores = run
    predicted = scores.argmax(axis=1)
    present = sorted(set(labels.tolist()))
    rows = []
    for number in present:
        true, false, missed = counts(labels, predicted, number)
        rows.append((ratio(true, true + false), true / (true + missed), ratio(2 * true, 2 * true + false + missed)))
    weights = [(labels == number).mean() for number in present]
    found = class_metrics(labels, scores)
    for column, name in enumerate(("precision", "recall", "f1")):
        values = [row[column] for row in rows]
        assert found[f"{name}_macro"] == pytest.approx(sum(values) / len(values))
        assert found[f"{name}_weighted"] == pytest.approx(sum(v * w for v, w in zip(values, weights, strict=True)))
    assert found["balanced_accuracy"] == pytest.approx(np.mean([row[1] for row in rows]))
    assert found["accuracy"] == pytest.approx(np.mean(labels == predicted))


def pairwise_auc(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return the share of (positive, negative) pairs that are in order; ties count half."""
    above = np.sign(scores[truth][:, None].astype(float) - scores[~truth][None, :])
    return float(((above + 1) / 2).mean())


def step_precision(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return average precision: precision at each threshold, weighted by the rise of recall."""
    total, area, before = truth.sum(), 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        chosen = scores >= threshold
        recall = truth[chosen].sum() / total
        area += (recall - before) * truth[chosen].mean()
        before = recall
    return float(area)


@THOROUGHLY
@given(runs())
def test_areas_are_the_mean_over_classes_with_labels_of_their_definitions(run: Run) -> None:
    labels, scores = run
    found = class_metrics(labels, scores)
    present = np.unique(labels)
    if len(present) < 2:
        assert math.isnan(found["roc_auc"])
        assert math.isnan(found["pr_auc"])
        return
    scored = [1] if scores.shape[1] == 2 else present
    pairs = [(labels == number, scores[:, number]) for number in scored]
    assert found["roc_auc"] == pytest.approx(np.mean([pairwise_auc(*pair) for pair in pairs]))
    assert found["pr_auc"] == pytest.approx(np.mean([step_precision(*pair) for pair in pairs]))


@THOROUGHLY
@given(runs())
def test_agreement_corrected_for_chance_is_that_of_the_confusion_matrix(run: Run) -> None:
    labels, scores = run
    predicted, classes, count = scores.argmax(axis=1), scores.shape[1], len(labels)
    matrix = np.zeros((classes, classes))
    np.add.at(matrix, (labels, predicted), 1)
    right, by_label, by_guess = np.trace(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    chance = by_label @ by_guess / count**2
    found = class_metrics(labels, scores)
    if chance < 1:
        assert found["kappa"] == pytest.approx((right / count - chance) / (1 - chance), abs=1e-9)
    else:
        assert math.isnan(found["kappa"])
    spread = math.sqrt((count**2 - by_label @ by_label) * (count**2 - by_guess @ by_guess))
    expected = ratio(right * count - by_label @ by_guess, spread)  # 0 where a side is constant (Gorodkin 2004)
    assert found["mcc"] == pytest.approx(expected, abs=1e-9)


@THOROUGHLY
@given(runs())
def test_scores_of_probabilities_are_those_of_a_plain_loop(run: Run) -> None:
    labels, scores = run
    found = class_metrics(labels, scores)
    surprise, squares = [], []
    for label, row in zip(labels, scores.astype(float), strict=True):
        clipped = [min(max(value, 1e-7), 1.0) for value in row]
        surprise.append(-math.log(clipped[label] / sum(clipped)))
        squares.append(sum((value - (number == label)) ** 2 for number, value in enumerate(row)))
    halved = 2 if scores.shape[1] == 2 else 1
    assert found["log_loss"] == pytest.approx(np.mean(surprise), rel=1e-5, abs=1e-6)
    assert found["brier"] == pytest.approx(np.mean(squares) / halved, rel=1e-5, abs=1e-9)


@THOROUGHLY
@given(runs())
def test_calibration_is_that_of_a_loop_over_bins(run: Run) -> None:
    labels, scores = run
    total = 0.0
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == labels
    for number in range(15):
        low, high = np.float32(number) / np.float32(15), np.float32(number + 1) / np.float32(15)
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].astype(float).mean())
    assert class_metrics(labels, scores)["ece"] == pytest.approx(total, abs=1e-6)


def by_scikit_learn(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Compute every metric that scikit-learn has, for labels of which some classes may be absent."""
    predicted, present, classes = scores.argmax(axis=1), np.unique(labels), np.arange(scores.shape[1])
    clipped = np.clip(scores.astype(float), 1e-7, 1.0)
    known = scores.shape[1] == 2 or len(present) > 1
    found = {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": metrics.recall_score(labels, predicted, labels=present, average="macro", zero_division=0),
        "mcc": metrics.matthews_corrcoef(labels, predicted),
        "kappa": metrics.cohen_kappa_score(labels, predicted, labels=classes),
        "log_loss": metrics.log_loss(labels, clipped / clipped.sum(axis=1, keepdims=True), labels=classes),
        "brier": ((scores - np.eye(len(classes))[labels]) ** 2).sum(axis=1).mean() / (2 if len(classes) == 2 else 1),
        "roc_auc": math.nan,
        "pr_auc": math.nan,
    }
    for average in ("weighted", "macro"):
        values = metrics.precision_recall_fscore_support(
            labels, predicted, labels=present, average=average, zero_division=0
        )
        found |= {f"{name}_{average}": of for name, of in zip(("precision", "recall", "f1"), values, strict=False)}
    if known and len(present) > 1:
        pairs = [(labels == number, scores[:, number]) for number in ([1] if len(classes) == 2 else present)]
        found["roc_auc"] = np.mean([metrics.roc_auc_score(*pair) for pair in pairs])
        found["pr_auc"] = np.mean([metrics.average_precision_score(*pair) for pair in pairs])
    if len(classes) == 2:
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(
            labels, predicted, labels=classes, zero_division=0
        )
        found |= {"sensitivity": recall[1], "specificity": recall[0]}
        found |= {"precision_positive": precision[1], "f1_positive": f1[1]}
    return {name: float(value) for name, value in found.items()}


@THOROUGHLY
@given(runs())
def test_values_are_scikit_learns(run: Run) -> None:
    found = class_metrics(*run)
    expected = by_scikit_learn(*run)
    assert set(found) - set(expected) == {"ece"}
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True), name


@THOROUGHLY
@given(runs(), st.integers(0, 2**20))
def test_every_resample_has_scikit_learns_values_for_its_images(run: Run, seed: int) -> None:
    labels, scores = run
    rng = np.random.default_rng(seed)
    resamples = draw(rng.integers(0, 6, len(labels)), 4, rng)
    outcomes = ClassOutcomes(resamples, labels, scores)
    found = {name: metric.compute(outcomes) for name, metric in metrics_of("classification", scores.shape[1]).items()}
    for number, drawn in enumerate(resamples.counts):
        images = np.repeat(np.arange(len(labels)), drawn[resamples.group].astype(int))
        for name, value in by_scikit_learn(labels[images], scores[images]).items():
            of_nothing = METRICS[name].undefined == 0 and np.isnan(found[name][number])
            assert of_nothing or found[name][number] == pytest.approx(value, rel=1e-5, abs=2e-6, nan_ok=True), name


def one_by_one(run: Run, seed: int, name: str, costs: np.ndarray | None, expected: Callable[[Run], float]) -> None:
    """Compare a metric, for the images and for resamples, with a function of single test sets."""
    labels, scores = run
    sample = ClassOutcomes(the_sample(np.arange(len(labels))), labels, scores, costs)
    assert METRICS[name].value(sample) == pytest.approx(expected(run), rel=1e-9, abs=1e-9, nan_ok=True)
    rng = np.random.default_rng(seed)
    resamples = draw(rng.integers(0, 6, len(labels)), 4, rng)
    found = METRICS[name].compute(ClassOutcomes(resamples, labels, scores, costs))
    for value, drawn in zip(found, resamples.counts, strict=True):
        images = np.repeat(np.arange(len(labels)), drawn[resamples.group].astype(int))
        assert value == pytest.approx(expected((labels[images], scores[images])), rel=1e-5, abs=2e-6, nan_ok=True)


@THOROUGHLY
@given(runs(), st.integers(0, 2**20))
def test_quadratic_kappa_is_scikit_learns(run: Run, seed: int) -> None:
    def expected(run: Run) -> float:
        labels, scores = run
        predicted, classes = scores.argmax(axis=1), range(scores.shape[1])
        if len({*labels, *predicted}) < 2:
            return math.nan  # scikit-learn divides 0 by 0, too
        return float(metrics.cohen_kappa_score(labels, predicted, labels=classes, weights="quadratic"))

    one_by_one(run, seed, "kappa_quadratic", None, expected)


@THOROUGHLY
@given(runs(), st.integers(0, 2**20))
def test_cost_weighted_accuracy_is_the_share_of_the_worst_cost_that_is_saved(run: Run, seed: int) -> None:
    classes = run[1].shape[1]
    costs = np.random.default_rng(seed).integers(0, 5, (classes, classes)) * (1.0 - np.eye(classes))

    def expected(run: Run) -> float:
        matrix = metrics.confusion_matrix(run[0], run[1].argmax(axis=1), labels=range(classes))
        worst = (matrix.sum(axis=1) * costs.max(axis=1)).sum()
        return float(1 - (matrix * costs).sum() / worst) if worst else math.nan

    one_by_one(run, seed, "cost_weighted_accuracy", costs, expected)


@THOROUGHLY
@given(runs(), st.integers(0, 2**20))
def test_costs_of_labels_alone_weight_images_as_in_scikit_learn(run: Run, seed: int) -> None:
    classes = run[1].shape[1]
    weights = np.random.default_rng(seed).uniform(0.1, 5, classes)

    def expected(run: Run) -> float:
        return float(metrics.accuracy_score(run[0], run[1].argmax(axis=1), sample_weight=weights[run[0]]))

    one_by_one(run, seed, "cost_weighted_accuracy", weights[:, None] * (1 - np.eye(classes)), expected)


def test_all_metrics_are_there_in_their_order_as_plain_numbers() -> None:
    found = class_metrics(np.array([0, 1]), np.array([[0.8, 0.2], [0.4, 0.6]]))
    assert list(found) == list(metrics_of("classification", 2))
    assert all(type(value) is float for value in found.values())
    of_three = class_metrics(np.array([0, 1]), np.full((2, 3), 1 / 3))
    assert [name for name in found if name not in of_three] == list(BINARY_METRICS)


def test_of_two_classes_the_second_is_the_positive_one() -> None:
    scores = np.array([[0.9, 0.1]] * 5 + [[0.2, 0.8]] * 4)
    found = class_metrics(np.array([0, 0, 0, 1, 1, 1, 1, 1, 0]), scores)
    values = [found[name] for name in BINARY_METRICS]
    assert values == pytest.approx([3 / 5, 3 / 4, 3 / 4, 2 / 3])


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_perfect_predictions_have_the_best_of_every_metric(classes: int) -> None:
    labels = np.arange(20) % classes
    found = class_metrics(labels, np.eye(classes, dtype=np.float32)[labels])
    worst_is_zero = {"log_loss", "brier", "ece"}
    for name, value in found.items():
        assert value == pytest.approx(0.0 if name in worst_is_zero else 1.0, abs=1e-6), name


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_constant_predictions_are_at_chance_level(classes: int) -> None:
    labels = np.arange(20 * classes) % classes
    found = class_metrics(labels, np.full((len(labels), classes), 1 / classes, np.float32))
    assert found["accuracy"] == pytest.approx(1 / classes)
    assert found["balanced_accuracy"] == pytest.approx(1 / classes)
    assert found["roc_auc"] == pytest.approx(0.5)
    assert found["pr_auc"] == pytest.approx(1 / classes)
    assert (found["mcc"], found["kappa"]) == (0.0, 0.0)
    assert found["log_loss"] == pytest.approx(math.log(classes))
    assert found["ece"] == pytest.approx(0.0, abs=1e-6)


def test_a_class_without_images_changes_no_average() -> None:
    labels = np.array([0, 0, 1, 1])
    two = np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.4, 0.6]])
    three = np.column_stack([two, np.zeros(4)])
    with_two, with_three = class_metrics(labels, two), class_metrics(labels, three)
    for name in ("accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "precision_macro", "recall_macro", "mcc"):
        assert with_two[name] == pytest.approx(with_three[name]), name


def test_calibration_worked_by_hand() -> None:
    # in (9/15, 10/15]: .61 and .65, one right; in (13/15, 14/15]: .9, wrong; at 1: right
    probabilities = np.array([[0.61, 0.39], [0.35, 0.65], [0.9, 0.1], [0.0, 1.0]])
    labels = np.array([0, 0, 1, 1])
    expected = (2 * abs(0.5 - 0.63) + 0.9 + 0.0) / 4
    assert class_metrics(labels, probabilities)["ece"] == pytest.approx(expected)


def test_the_brier_score_worked_by_hand() -> None:
    two = class_metrics(np.array([0, 1]), np.array([[0.75, 0.25], [0.5, 0.5]]))
    assert two["brier"] == pytest.approx((0.25**2 + 0.5**2) / 2)
    three = class_metrics(np.array([0, 1]), np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]]))
    assert three["brier"] == pytest.approx((0.5**2 + 2 * 0.25**2) / 2)


def test_a_probability_of_zero_for_the_label_has_a_finite_loss() -> None:
    found = class_metrics(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]], np.float32))
    assert found["log_loss"] == pytest.approx(-math.log(1e-7) / 2, rel=1e-5)


def summary_of(labels: np.ndarray, scores: np.ndarray, names: list[str]) -> dict[str, Any]:
    paths = [f"{number:03}" for number in range(len(labels))]
    images = pd.DataFrame({"path": paths, "group": paths, "label_index": labels})
    return ClassPredictions(predictions_frame(images, scores, names, 0, 0, "test")).summary()


@THOROUGHLY
@given(runs())
def test_the_metrics_of_each_class_are_those_of_counting(run: Run) -> None:
    labels, scores = run
    names = [f"kind {number}" for number in range(scores.shape[1])]
    found = summary_of(labels, scores, names)["classes"]
    assert list(found) == names
    for number, name in enumerate(names):
        true, false, missed = counts(labels, scores.argmax(axis=1), number)
        expected = {
            "precision": ratio(true, true + false),
            "recall": ratio(true, true + missed),
            "f1": ratio(2 * true, 2 * true + false + missed),
            "labels": true + missed,
        }
        assert found[name] == pytest.approx(expected)


def test_no_metric_warns_of_classes_that_are_absent_or_never_predicted() -> None:
    labels = np.array([0, 0, 2])
    scores = np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1], [0.6, 0.3, 0.1]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        class_metrics(labels, scores)
        summary_of(labels, scores, ["a", "b", "c"])
