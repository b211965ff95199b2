"""The registry of metrics: tasks, headline metrics, directions and titles."""

from __future__ import annotations

import numpy as np
import pytest
from scored import label_probability_metric

from medtransfer.statistics.metrics import METRICS, headline_metrics, metrics_of, phrase_of, ranking_metrics, title_of
from medtransfer.statistics.resampling import the_sample
from medtransfer.tasks.classes.metrics import ClassOutcomes


def test_a_metric_registered_from_outside_is_one_of_its_task() -> None:
    with label_probability_metric() as name:
        assert name in metrics_of("classification", 3)
        assert name not in metrics_of("segmentation")
        assert headline_metrics("classification")[-1] == name
        run = ClassOutcomes(the_sample(np.arange(2)), np.array([0, 1]), np.array([[0.75, 0.25], [0.5, 0.5]]))
        assert METRICS[name].value(run) == 0.625


def test_headline_metrics_start_with_the_one_that_a_study_is_ranked_by() -> None:
    assert headline_metrics("classification") == ("accuracy", "balanced_accuracy", "f1_weighted", "f1_macro", "roc_auc")
    assert headline_metrics("segmentation") == ("dice", "iou", "precision", "recall", "hd95", "assd")


def test_a_metric_on_request_belongs_to_studies_that_ask_for_it() -> None:
    assert "kappa_quadratic" not in metrics_of("classification", 3)
    assert "kappa_quadratic" in metrics_of("classification", 3, ("kappa_quadratic",))
    assert "kappa_quadratic" not in metrics_of("segmentation", 3, ("kappa_quadratic",))
    assert {"mcc", "kappa_quadratic", "cost_weighted_accuracy"} <= ranking_metrics("classification").keys()
    assert not {"ece", "sensitivity", "dice"} & ranking_metrics("classification").keys()


def test_a_smaller_sort_key_is_better() -> None:
    assert METRICS["accuracy"].sort_key(0.9) < METRICS["accuracy"].sort_key(0.8)
    assert METRICS["hd95"].sort_key(3.0) < METRICS["hd95"].sort_key(4.0)


@pytest.mark.parametrize(
    ("name", "title", "phrase"),
    [
        ("accuracy", "Accuracy", "accuracy"),
        ("roc_auc", "ROC-AUC", "ROC-AUC"),
        ("f1_macro", "F1 (macro)", "F1 (macro)"),
        ("brier", "Brier score", "Brier score"),
        ("dice", "Dice", "Dice"),
        ("hd95", "HD95 (mm)", "HD95 (mm)"),
        ("trainable_parameters", "trainable parameters", "trainable parameters"),
    ],
)
def test_titles_and_phrases(name: str, title: str, phrase: str) -> None:
    assert (title_of(name, "mm"), phrase_of(name, "mm")) == (title, phrase)
