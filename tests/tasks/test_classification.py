"""Every metric against an independent formula or scikit-learn, on runs of every kind."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from medtransfer.statistics.calibration import expected_calibration_error
from medtransfer.tasks.classes.metrics import classification_metrics, per_class_metrics
from medtransfer.tasks.names import BINARY_METRICS, CLASS_METRICS

Run = tuple[np.ndarray, np.ndarray]
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
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
    found = classification_metrics(labels, scores)
    for column, name in enumerate(("precision", "recall", "f1")):
        values = [row[column] for row in rows]
        assert found[f"{name}_macro"] == pytest.approx(sum(values) / len(values))
        assert found[f"{name}_weighted"] == pytest.approx(sum(v * w for v, w in zip(values, weights, strict=True)))
    assert found["balanced_accuracy"] == pytest.approx(np.mean([row[1] for row in rows]))
    assert found["accuracy"] == pytest.approx(np.mean(labels == predicted))


def pairwise_auc(truth: np.ndarray, scores: np.ndarray) -> float:
    """Give the share of (positive, negative) pairs that are in order; ties count half."""
    above = np.sign(scores[truth][:, None].astype(float) - scores[~truth][None, :])
    return float(((above + 1) / 2).mean())


def step_precision(truth: np.ndarray, scores: np.ndarray) -> float:
    """Give average precision: precision at each threshold, weighted by the rise of recall."""
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
    found = classification_metrics(labels, scores)
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
    found = classification_metrics(labels, scores)
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
    found = classification_metrics(labels, scores)
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
    assert expected_calibration_error(labels, scores) == pytest.approx(total, abs=1e-6)


@THOROUGHLY
@given(runs())
def test_the_metrics_are_scikit_learns_where_it_has_them(run: Run) -> None:
    labels, scores = run
    predicted, present = scores.argmax(axis=1), np.unique(labels)
    found = classification_metrics(labels, scores)
    assert found["mcc"] == pytest.approx(metrics.matthews_corrcoef(labels, predicted))
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(labels, predicted))
    if scores.shape[1] == 2:
        assert found["brier"] == pytest.approx(metrics.brier_score_loss(labels, scores[:, 1], pos_label=1), abs=1e-6)
    if len(present) == scores.shape[1] > 2:
        area = metrics.roc_auc_score(np.eye(scores.shape[1])[labels], scores, average="macro")
        assert found["roc_auc"] == pytest.approx(area)


def test_all_metrics_are_there_in_their_order_as_plain_numbers() -> None:
    found = classification_metrics(np.array([0, 1]), np.array([[0.8, 0.2], [0.4, 0.6]]))
    assert tuple(found) == (*CLASS_METRICS, *BINARY_METRICS)
    assert all(type(value) is float for value in found.values())
    assert tuple(classification_metrics(np.array([0, 1]), np.full((2, 3), 1 / 3))) == CLASS_METRICS


def test_of_two_classes_the_second_is_the_positive_one() -> None:
    scores = np.array([[0.9, 0.1]] * 5 + [[0.2, 0.8]] * 4)
    found = classification_metrics(np.array([0, 0, 0, 1, 1, 1, 1, 1, 0]), scores)
    values = [found[name] for name in BINARY_METRICS]
    assert values == pytest.approx([3 / 5, 3 / 4, 3 / 4, 2 / 3])


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_perfect_predictions_have_the_best_of_every_metric(classes: int) -> None:
    labels = np.arange(20) % classes
    found = classification_metrics(labels, np.eye(classes, dtype=np.float32)[labels])
    worst_is_zero = {"log_loss", "brier", "ece"}
    for name, value in found.items():
        assert value == pytest.approx(0.0 if name in worst_is_zero else 1.0, abs=1e-6), name


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_predictions_that_are_all_the_same_are_worth_nothing_beyond_chance(classes: int) -> None:
    labels = np.arange(20 * classes) % classes
    found = classification_metrics(labels, np.full((len(labels), classes), 1 / classes, np.float32))
    assert found["accuracy"] == pytest.approx(1 / classes)
    assert found["balanced_accuracy"] == pytest.approx(1 / classes)
    assert found["roc_auc"] == pytest.approx(0.5)
    assert found["pr_auc"] == pytest.approx(1 / classes)
    assert (found["mcc"], found["kappa"]) == (0.0, 0.0)
    assert found["log_loss"] == pytest.approx(math.log(classes))
    assert found["ece"] == pytest.approx(0.0, abs=1e-6)


def test_a_class_that_no_image_bears_changes_no_average() -> None:
    labels = np.array([0, 0, 1, 1])
    two = np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.4, 0.6]])
    three = np.column_stack([two, np.zeros(4)])
    with_two, with_three = classification_metrics(labels, two), classification_metrics(labels, three)
    for name in ("accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "precision_macro", "recall_macro", "mcc"):
        assert with_two[name] == pytest.approx(with_three[name]), name


def test_calibration_worked_by_hand() -> None:
    # in (9/15, 10/15]: .61 and .65, one right; in (13/15, 14/15]: .9, wrong; at 1: right
    probabilities = np.array([[0.61, 0.39], [0.35, 0.65], [0.9, 0.1], [0.0, 1.0]])
    labels = np.array([0, 0, 1, 1])
    expected = (2 * abs(0.5 - 0.63) + 0.9 + 0.0) / 4
    assert expected_calibration_error(labels, probabilities) == pytest.approx(expected)


def test_the_brier_score_worked_by_hand() -> None:
    two = classification_metrics(np.array([0, 1]), np.array([[0.75, 0.25], [0.5, 0.5]]))
    assert two["brier"] == pytest.approx((0.25**2 + 0.5**2) / 2)
    three = classification_metrics(np.array([0, 1]), np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]]))
    assert three["brier"] == pytest.approx((0.5**2 + 2 * 0.25**2) / 2)


def test_a_probability_of_zero_for_the_label_costs_much_but_not_everything() -> None:
    found = classification_metrics(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]], np.float32))
    assert found["log_loss"] == pytest.approx(-math.log(1e-7) / 2, rel=1e-5)


@THOROUGHLY
@given(runs())
def test_the_metrics_of_each_class_are_those_of_counting(run: Run) -> None:
    labels, scores = run
    names = [f"kind {number}" for number in range(scores.shape[1])]
    found = per_class_metrics(labels, scores, names)
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
        classification_metrics(labels, scores)
        per_class_metrics(labels, scores, ["a", "b", "c"])
