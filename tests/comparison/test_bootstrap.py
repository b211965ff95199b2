"""Metrics under resamples: groups stay whole, and the numbers are those of a slow loop over drawn images."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from medtransfer.comparison import bootstrap
from medtransfer.comparison.bootstrap import confusion_counts, draw_counts, percentile_interval, roc_auc
from medtransfer.comparison.scores import HEADLINE, score
from medtransfer.evaluation.classification import classification_metrics
from medtransfer.evaluation.predictions import Predictions, predictions_frame

GROUPS = st.lists(st.integers(0, 6), min_size=1, max_size=30)


@given(GROUPS, st.integers(0, 99))
def test_a_groups_images_are_drawn_together_and_as_many_groups_as_there_are(groups: list[int], seed: int) -> None:
    names = np.array([f"patient{number}" for number in groups])
    counts = draw_counts(names, 20, np.random.default_rng(seed))
    assert counts.shape == (21, len(groups))
    assert (counts[0] == 1).all()
    firsts = [groups.index(number) for number in sorted(set(groups))]
    for number in set(groups):
        of_group = counts[:, np.array(groups) == number]
        assert (of_group == of_group[:, :1]).all()
    assert (counts[:, firsts].sum(axis=1) == len(firsts)).all()


def test_every_group_is_drawn_once_on_average() -> None:
    counts = draw_counts(np.repeat(np.arange(20), [1, 9] * 10), 4000, np.random.default_rng(0))[1:]
    assert np.abs(counts.mean(axis=0) - 1).max() < 0.08  # a mean of 4000 has a standard error of .016


@st.composite
def samples(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw labels, scores and counts of resamples; classes may be absent from a resample, or altogether."""
    classes, count = draw(st.integers(2, 4)), draw(st.integers(2, 20))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    labels = rng.integers(0, draw(st.integers(1, classes)), count)
    raw = rng.integers(1, 5, (count, classes)) if draw(st.booleans()) else rng.random((count, classes))
    counts = draw_counts(rng.integers(0, 6, count), 4, rng)
    return labels, raw / raw.sum(axis=1, keepdims=True), counts


def slow_metrics(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Compute the headline metrics of images, written out one by one, with scikit-learn."""
    predicted, present = scores.argmax(axis=1), np.unique(labels)
    found = {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": metrics.recall_score(labels, predicted, labels=present, average="macro"),
        "f1_weighted": metrics.f1_score(labels, predicted, labels=present, average="weighted", zero_division=0),
        "f1_macro": metrics.f1_score(labels, predicted, labels=present, average="macro", zero_division=0),
        "roc_auc": np.nan,
    }
    if len(present) > 1:
        scored = [1] if scores.shape[1] == 2 else present
        found["roc_auc"] = np.mean([metrics.roc_auc_score(labels == number, scores[:, number]) for number in scored])
    return found


@settings(max_examples=30, deadline=None)
@given(samples())
def test_every_resample_has_the_metrics_of_a_loop_over_its_images(
    sample: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    labels, scores, counts = sample
    confusion = confusion_counts(labels, scores.argmax(axis=1), scores.shape[1], counts)
    found = {name: getattr(bootstrap, name)(confusion) for name in HEADLINE if name != "roc_auc"}
    found["roc_auc"] = roc_auc(labels, scores, counts)
    for number, drawn in enumerate(counts):
        images = np.repeat(np.arange(len(labels)), drawn)
        expected = slow_metrics(labels[images], scores[images])
        for name, value in expected.items():
            assert found[name][number] == pytest.approx(value, nan_ok=True), name


def predictions_of(labels: np.ndarray, scores: list[np.ndarray]) -> Predictions:
    paths = [f"{number:04}" for number in range(len(labels))]
    images = pd.DataFrame({"path": paths, "group": paths, "label_index": labels})
    classes = [f"class{number}" for number in range(scores[0].shape[1])]
    frames = [predictions_frame(images, run, classes, 0, seed, "test") for seed, run in enumerate(scores)]
    return Predictions(pd.concat(frames, ignore_index=True))


def test_scores_are_means_over_runs_of_the_metrics_that_evaluation_gives() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 40)
    runs = [rng.dirichlet(np.ones(3), 40).astype(np.float32) for _ in range(3)]
    counts = draw_counts(np.arange(40), 10, rng)
    found = score(predictions_of(labels, runs), counts)
    by_run = [classification_metrics(labels, run) for run in runs]
    for name in HEADLINE:
        values = [run[name] for run in by_run]
        assert found.value[name] == pytest.approx(np.mean(values))
        assert found.spread[name] == pytest.approx(np.std(values, ddof=1))
        assert found.resampled[name].shape == (10,)
    resample = np.repeat(np.arange(40), counts[4])
    accuracies = [(run[resample].argmax(axis=1) == labels[resample]).mean() for run in runs]
    assert found.resampled["accuracy"][3] == pytest.approx(np.mean(accuracies))


def test_a_single_run_has_no_spread() -> None:
    counts = draw_counts(np.arange(4), 5, np.random.default_rng(0))
    found = score(predictions_of(np.array([0, 1, 0, 1]), [np.full((4, 2), 0.5)]), counts)
    assert set(found.spread.values()) == {None}


def test_a_percentile_interval_worked_by_hand() -> None:
    values = np.array([np.nan, *range(101)], dtype=float)
    assert percentile_interval(values, 0.9) == pytest.approx((5, 95))
    assert percentile_interval(values, 0.5) == pytest.approx((25, 75))


def test_intervals_over_groups_cover_the_truth_and_over_images_of_groups_they_would_not() -> None:
    rng = np.random.default_rng(0)
    groups, truth, trials = np.repeat(np.arange(60), 5), 0.7, 200
    covered = dict.fromkeys(("groups", "images"), 0)
    for _ in range(trials):
        right = np.repeat(rng.random(60) < truth, 5)  # a patient's images are all right or all wrong
        confusion_of = {"groups": groups, "images": np.arange(300)}
        for unit, index in confusion_of.items():
            counts = draw_counts(index, 300, rng)[1:]
            values = bootstrap.accuracy(confusion_counts(np.ones(300, int), right.astype(int), 2, counts))
            low, high = percentile_interval(values, 0.95)
            covered[unit] += low <= truth <= high
    assert 0.90 <= covered["groups"] / trials <= 0.99
    assert covered["images"] / trials < 0.75
