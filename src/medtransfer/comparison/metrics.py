"""The metrics that have an interval: what they are called, between which bounds they lie, what they average over."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from medtransfer.statistics.intervals import SHARE, Bounds
from medtransfer.study import RULES


@dataclass(frozen=True)
class Metric:
    """A metric of test images.

    over: what it is a mean of, which decides how many degrees of freedom its standard error has: `images`, `classes`,
    each measured on its own images, or `pairs` of images of a class and of the others.
    """

    title: str
    over: Literal["images", "classes", "pairs"] = "images"
    bounds: Bounds = SHARE


METRICS = {
    "accuracy": Metric("Accuracy"),
    "balanced_accuracy": Metric("Balanced accuracy", "classes"),
    "f1_weighted": Metric("F1 (weighted)"),
    "f1_macro": Metric("F1 (macro)"),
    "roc_auc": Metric("ROC-AUC", "pairs"),
    "precision_weighted": Metric("Precision (weighted)"),
    "recall_weighted": Metric("Recall (weighted)"),
    "precision_macro": Metric("Precision (macro)", "classes"),
    "recall_macro": Metric("Recall (macro)", "classes"),
    "pr_auc": Metric("PR-AUC", "pairs"),
    "mcc": Metric("MCC", bounds=Bounds(-1.0, 1.0)),
    "kappa": Metric("Kappa", bounds=Bounds(-1.0, 1.0)),
    "log_loss": Metric("Log loss", bounds=Bounds(0.0, math.inf)),
    "brier": Metric("Brier score", bounds=Bounds(0.0, math.inf)),
    "sensitivity": Metric("Sensitivity", "classes"),
    "specificity": Metric("Specificity", "classes"),
    "precision_positive": Metric("Precision (positive)", "classes"),
    "f1_positive": Metric("F1 (positive)", "classes"),
    "dice": Metric("Dice"),
    "iou": Metric("IoU"),
    "precision": Metric("Precision"),
    "recall": Metric("Recall"),
    "hd95": Metric("HD95", bounds=Bounds(0.0, math.inf)),
    "assd": Metric("ASSD", bounds=Bounds(0.0, math.inf)),
}

HEADLINE = RULES["classification"].headline
"""The metrics of the main table, which variants are also compared by."""

SUMMARY = {"classification": ("accuracy", "f1_macro", "roc_auc"), "segmentation": ("dice", "hd95")}
"""The metrics that `dvc metrics diff` shows, for each task."""


TITLES = {name: metric.title for name, metric in METRICS.items()} | {"ece": "ECE"}

PROPER_NAMES = ("Brier", "Dice")


def title_of(metric: str) -> str:
    """Give a metric's title, or its name where it has none."""
    return TITLES.get(metric, metric)


def in_sentence(title: str) -> str:
    """Write a title as within a sentence: abbreviations and proper names keep their capitals."""
    return title[0].lower() + title[1:] if title[1:2].islower() and not title.startswith(PROPER_NAMES) else title
