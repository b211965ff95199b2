"""Metrics of predicted classes under resamples, against scikit-learn on the drawn images, one resample at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from medtransfer.statistics.class_counts import CLASS_METRICS, count_classes
from medtransfer.statistics.resampling import draw, the_sample

Sample = tuple[np.ndarray, np.ndarray, int, np.ndarray, np.random.Generator]


@st.composite
def samples(draw_: st.DrawFn) -> Sample:
    """Draw labels, predictions and groups; classes may be absent from a resample, or altogether."""
    classes, count = draw_(st.integers(2, 5)), draw_(st.integers(1, 25))
    rng = np.random.default_rng(draw_(st.integers(0, 2**20)))
    labels = rng.integers(0, draw_(st.integers(1, classes)), count)
    predicted = rng.integers(0, draw_(st.integers(1, classes)), count)
    return labels, predicted, classes, rng.integers(0, 6, count), rng


def by_scikit_learn(labels: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    present = np.unique(labels)
    found = {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": metrics.recall_score(labels, predicted, labels=present, average="macro", zero_division=0),
        "mcc": metrics.matthews_corrcoef(labels, predicted),
    }
    for average in ("macro", "weighted"):
        values = metrics.precision_recall_fscore_support(
            labels, predicted, labels=present, average=average, zero_division=0
        )
        found |= {
            f"{name}_{average}": value for name, value in zip(("precision", "recall", "f1"), values, strict=False)
        }
    if len({*labels, *predicted}) > 1:
        found["kappa"] = metrics.cohen_kappa_score(labels, predicted)
    return found


@settings(max_examples=60)
@given(samples())
def test_every_resample_has_the_metrics_of_its_images(sample: Sample) -> None:
    labels, predicted, classes, groups, rng = sample
    resamples = draw(groups, 4, rng)
    _, counts = count_classes(labels, np.stack([predicted[::-1], predicted]), classes, resamples)
    found = {name: metric(counts) for name, metric in CLASS_METRICS.items()}
    for number, drawn in enumerate(resamples.counts):
        images = np.repeat(np.arange(len(labels)), drawn[resamples.group].astype(int))
        for name, value in by_scikit_learn(labels[images], predicted[images]).items():
            assert found[name][number] == pytest.approx(value, abs=1e-9), name


def test_values_of_classes_worked_by_hand() -> None:
    labels, predicted = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 2])
    (counts,) = count_classes(labels, predicted[None], 4, the_sample(np.arange(5)))
    np.testing.assert_allclose(counts.precision, [[1, 1 / 2, 0, 0]])
    np.testing.assert_allclose(counts.recall, [[2 / 3, 1 / 2, 0, 0]])
    np.testing.assert_allclose(counts.f1, [[4 / 5, 1 / 2, 0, 0]])
    assert CLASS_METRICS["f1_macro"](counts) == pytest.approx(0.65)
    assert CLASS_METRICS["f1_weighted"](counts) == pytest.approx(0.68)


def test_kappa_has_no_value_where_agreement_is_certain() -> None:
    (counts,) = count_classes(np.zeros(3, int), np.zeros((1, 3), int), 2, the_sample(np.arange(3)))
    assert np.isnan(CLASS_METRICS["kappa"](counts))
    assert CLASS_METRICS["mcc"](counts) == 0
