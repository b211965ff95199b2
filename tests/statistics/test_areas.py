"""Areas under curves of resamples, against scikit-learn with the draws as weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from medtransfer.statistics.areas import class_areas, macro_areas
from medtransfer.statistics.resampling import draw, the_sample


@st.composite
def scored(draw_: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.random.Generator]:
    """Draw truths, scores with or without ties, and groups; both truths occur."""
    count = draw_(st.integers(2, 40))
    rng = np.random.default_rng(draw_(st.integers(0, 2**20)))
    truth = rng.permutation(count) < rng.integers(1, count)
    scores = rng.integers(0, 5, count) / 4 if draw_(st.booleans()) else rng.random(count)
    return truth, scores.astype(np.float32), rng.integers(0, count, count), rng


@settings(max_examples=80)
@given(scored())
def test_areas_of_resamples_are_those_of_weighted_images(
    sample: tuple[np.ndarray, np.ndarray, np.ndarray, np.random.Generator],
) -> None:
    truth, scores, groups, rng = sample
    resamples = draw(groups, 5, rng)
    found = class_areas(truth, scores, resamples)
    for number, drawn in enumerate(resamples.counts):
        weights = drawn[resamples.group]
        if weights[truth].sum() == 0 or weights[~truth].sum() == 0:
            assert np.isnan(found.roc[number])
            assert np.isnan(found.precision_recall[number])
            continue
        assert found.roc[number] == pytest.approx(roc_auc_score(truth, scores, sample_weight=weights), abs=1e-6)
        expected = average_precision_score(truth, scores, sample_weight=weights)
        assert found.precision_recall[number] == pytest.approx(expected, abs=1e-6)


@settings(max_examples=40)
@given(scored())
def test_the_sample_itself_is_exact(
    sample: tuple[np.ndarray, np.ndarray, np.ndarray, np.random.Generator],
) -> None:
    truth, scores, groups, _ = sample
    found = class_areas(truth, scores, the_sample(groups))
    assert found.roc[0] == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    assert found.precision_recall[0] == pytest.approx(average_precision_score(truth, scores), abs=1e-12)


def test_counts_beyond_sixteen_bits_are_right() -> None:
    rng = np.random.default_rng(0)
    truth, scores = rng.random(70_000) < 0.5, rng.integers(0, 1000, 70_000)
    resamples = draw(rng.integers(0, 30, 70_000), 2, rng)
    found = class_areas(truth, scores + 200 * truth, resamples)
    for number, drawn in enumerate(resamples.counts):
        weights = drawn[resamples.group]
        expected = roc_auc_score(truth, scores + 200 * truth, sample_weight=weights)
        assert found.roc[number] == pytest.approx(expected, abs=1e-5)
        expected = average_precision_score(truth, scores + 200 * truth, sample_weight=weights)
        assert found.precision_recall[number] == pytest.approx(expected, abs=1e-5)


def test_a_tie_counts_half() -> None:
    truth = np.array([True, False, False])
    assert class_areas(truth, np.array([0.5, 0.5, 0.1]), the_sample(np.arange(3))).roc[0] == 0.75


@pytest.mark.parametrize("classes", [2, 4])
def test_the_macro_mean_is_over_classes_against_the_rest(classes: int) -> None:
    rng = np.random.default_rng(classes)
    labels = rng.integers(0, classes, 200)
    scores = rng.dirichlet(np.ones(classes), 200)
    found = macro_areas(labels, scores, the_sample(np.arange(200)))
    numbers = [1] if classes == 2 else range(classes)
    roc = [roc_auc_score(labels == number, scores[:, number]) for number in numbers]
    average = [average_precision_score(labels == number, scores[:, number]) for number in numbers]
    assert found.roc[0] == pytest.approx(np.mean(roc), abs=1e-12)
    assert found.precision_recall[0] == pytest.approx(np.mean(average), abs=1e-12)


def test_absent_classes_are_left_out_and_a_single_class_has_no_area() -> None:
    rng = np.random.default_rng(0)
    labels, scores = np.repeat([0, 1], 20), rng.dirichlet(np.ones(3), 40)
    found = macro_areas(labels, scores, the_sample(np.arange(40)))
    expected = np.mean([roc_auc_score(labels == number, scores[:, number]) for number in (0, 1)])
    assert found.roc[0] == pytest.approx(expected, abs=1e-12)
    assert np.isnan(macro_areas(np.zeros(5, int), scores[:5], the_sample(np.arange(5))).roc[0])
