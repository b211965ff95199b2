"""Tables of classes against scikit-learn and plain counting."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import auc, confusion_matrix, precision_recall_fscore_support, roc_auc_score

from medtransfer.comparison.evaluation_set import draw_evaluation_set
from medtransfer.comparison.tables.classification import confusion_table, curve_table, image_table, per_class_table

from ..conftest import CLASSES, drawn_predictions

TESTS = drawn_predictions(1.0, 0, 2).tests
RUNS = list(TESTS.runs().values())


def test_classes_are_means_over_runs() -> None:
    test = draw_evaluation_set(TESTS.images, tuple(CLASSES), 200, np.random.default_rng(0))
    table = per_class_table("v", TESTS, test)
    values = [precision_recall_fscore_support(labels, scores.argmax(axis=1)) for labels, scores in RUNS]
    for place, name in enumerate(("precision", "recall", "f1")):
        np.testing.assert_allclose(table[name], np.mean([found[place] for found in values], axis=0), atol=1e-9)
        assert ((table[f"{name}_low"] < table[name]) & (table[name] < table[f"{name}_high"])).all()
    assert table["class"].tolist() == CLASSES
    assert table["images"].tolist() == [30, 30, 30]
    assert table["groups"].tolist() == [10, 10, 10]


def test_confusions_count_all_runs() -> None:
    table = confusion_table("v", TESTS)
    expected = sum(confusion_matrix(labels, scores.argmax(axis=1)) for labels, scores in RUNS)
    counts = table.pivot(index="label", columns="predicted", values="count").loc[CLASSES, CLASSES]
    np.testing.assert_array_equal(counts, expected)
    assert table.groupby("label")["share"].sum().to_numpy() == pytest.approx([1, 1, 1])


def test_the_roc_curve_has_the_mean_area() -> None:
    table = curve_table("v", TESTS)
    roc = table[table["curve"] == "roc"]
    expected = np.mean([roc_auc_score(labels, scores, multi_class="ovr") for labels, scores in RUNS])
    assert auc(roc["x"], roc["y"]) == pytest.approx(expected, abs=0.02)
    recall = table[table["curve"] == "precision_recall"]
    assert recall["y"].iloc[-1] == pytest.approx(1 / 3, abs=0.1)
    assert recall["y"].between(0, 1).all()


def test_right_is_the_share_of_runs_that_predict_an_image_correctly() -> None:
    table = image_table("v", TESTS).set_index("path")
    right = pd.concat(
        [pd.Series(scores.argmax(axis=1) == labels, index=TESTS.images["path"]) for labels, scores in RUNS], axis=1
    ).mean(axis=1)
    pd.testing.assert_series_equal(table["right"], right, check_names=False)
    mean = np.mean([scores for _, scores in RUNS], axis=0)
    labels = TESTS.images["label"].to_numpy()
    np.testing.assert_allclose(table["probability"], mean[np.arange(90), labels], rtol=1e-6)
    assert table["predicted"].tolist() == [CLASSES[number] for number in mean.argmax(axis=1)]
