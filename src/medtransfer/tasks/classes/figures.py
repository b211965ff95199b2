"""Figures of classes and findings: learning curves, the confusion matrix, areas, and ROC curves of few points."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb

from medtransfer.statistics.metrics import phrase_of
from medtransfer.tasks.classes.predictions import ClassPredictions
from medtransfer.tasks.findings.predictions import FindingPredictions
from medtransfer.util.plotting import COLOURS, INK, MUTED, new_figure, save_png
from medtransfer.util.text import counted, shortened

MOST_POINTS = 101


def roc_points(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return at most 101 false and true positive rates of scores against a binary truth.

    Points on a line between others are left out. With more corners, the curve is interpolated at 101 evenly spaced
    false positive rates.
    """
    false, true = _counts(truth, scores)
    corners = np.r_[True, (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0), True][: len(false)]
    rates = [np.r_[0.0, counts[corners] / counts[-1]] for counts in (false, true)]
    if len(rates[0]) <= MOST_POINTS:
        return rates[0], rates[1]
    grid = np.linspace(0.0, 1.0, MOST_POINTS)
    read = np.interp(grid, *rates)
    read[0] = 0.0
    return grid, read


def macro_curves(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean over classes of their one-against-rest curves at 101 even steps from 0 to 1.

    The first is the true positive rate at each false positive rate, the second the precision at the highest threshold
    that reaches each recall. For two classes they are those of the second. Classes without labels are left out.
    """
    grid = np.linspace(0.0, 1.0, MOST_POINTS)
    present = np.unique(labels) if probabilities.shape[1] > 2 else np.array([1])
    pairs = []
    for number in present:
        false, true = _counts(labels == number, probabilities[:, number])
        roc = np.interp(grid, np.r_[0, false / max(false[-1], 1)], np.r_[0, true / true[-1]])
        roc[0] = 0.0
        reached = np.searchsorted(true, np.ceil(grid * true[-1] - 1e-9).clip(1))
        pairs.append((roc, (true / (true + false))[reached]))
    roc, precision = np.mean(pairs, axis=0)
    return roc, precision


def _counts(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the false and true positives at each distinct score as the threshold, the highest first."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    true = np.cumsum(truth[order])[ends]
    return ends + 1 - true, true


MOST_ROC_CLASSES = 8
MOST_WRITTEN_CLASSES = 15
LEAST_WRITTEN, LONGEST_NAME = 0.005, 22
LEARNING = {"train": ("training views", COLOURS[0]), "validation": ("validation images", COLOURS[1])}
ON_COLOUR = "#FEFEFE"
"""A white that the page's dark mode leaves white."""


@contextmanager
def variant_panels(
    name: str, history: Path, found: dict[str, Any], score: str, path: Path, *curves: str
) -> Iterator[list[Axes]]:
    """Yield the two panels next to a variant's learning curves; write the figure when they are drawn.

    found: the variant's metrics. score: the part of the title on these. curves: see `draw_learning_curves`.
    """
    figure = new_figure(15, 4.8)
    learning, *others = figure.subplots(1, 3)
    draw_learning_curves(learning, pd.read_csv(history), *curves)
    learning.set_title("Learning")
    learning.legend()
    yield others
    images, runs = counted(found["test_images"], "test image"), counted(len(found["runs"]), "run")
    figure.suptitle(f"{name}: {score}{images}, {runs}")
    save_png(figure, path, dpi=90)


def write_variant_figure(
    name: str, history: Path, predictions: ClassPredictions, found: dict[str, Any], path: Path
) -> None:
    """Draw learning curves, the confusion matrix of the test rows, and ROC curves side by side."""
    metric, mean = next(iter(found["mean"].items()))
    with variant_panels(name, history, found, f"{phrase_of(metric)} {mean:.3f} on ", path) as (matrix, roc):
        draw_confusion(matrix, np.array(found["confusion"]), list(found["classes"]))
        matrix.set_title("Confusion (% of a class's images)")
        labels, scores = (np.concatenate(parts) for parts in zip(*predictions.tests.runs().values(), strict=True))
        shown = list(range(len(predictions.classes))) if len(predictions.classes) > 2 else [1]
        names = [predictions.classes[number] for number in shown]
        draw_roc_curves(roc, labels[:, None] == shown, scores[:, shown], names, "ROC, each class against the rest")


def write_finding_figure(
    name: str, history: Path, tests: FindingPredictions, found: dict[str, Any], path: Path
) -> None:
    """Draw learning curves, the areas of each finding, and ROC curves side by side."""
    value = found["mean"]["roc_auc"]
    score = "" if value is None else f"{phrase_of('roc_auc')} {value:.3f} on "
    with variant_panels(name, history, found, score, path) as (areas, roc):
        draw_areas(areas, found["classes"])
        truth = np.tile(tests.truth, (len(tests.replicates), 1))
        draw_roc_curves(roc, truth, tests.replicates.reshape(len(truth), -1), tests.classes, "ROC of each finding")


def draw_learning_curves(axis: Axes, history: pd.DataFrame, quantity: str = "loss", label: str = "loss (nats)") -> None:
    """Draw a quantity of training views and validation images by epoch: each run thin, their mean thick."""
    for part, (images, colour) in LEARNING.items():
        column = f"{part}_{quantity}"
        runs = [np.add(run.to_numpy(float), (1, 0)) for _, run in history.groupby(["fold", "seed"])[["epoch", column]]]
        axis.add_collection(LineCollection(runs, colors=colour, alpha=0.35, linewidths=0.7))
        mean = history.groupby("epoch")[column].mean()
        axis.plot(mean.index + 1, mean, color=colour, label=images, marker="o" if len(mean) == 1 else None)
    axis.set(xlabel="epoch", ylabel=label)
    axis.set_ylim(bottom=0)


def draw_confusion(axis: Axes, matrix: np.ndarray, classes: list[str]) -> None:
    """Draw the predictions of each class's test images, in percent of the class.

    matrix: counts, [label, prediction]. The opacity of a cell is its share.
    """
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    cells = np.empty((*share.shape, 4))
    cells[..., :3], cells[..., 3] = to_rgb(COLOURS[0]), share
    axis.imshow(cells, interpolation="none")
    names = [shortened(name, LONGEST_NAME) for name in classes]
    axis.set_xticks(range(len(classes)), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=7)
    axis.set_yticks(range(len(classes)), names, fontsize=7)
    if len(classes) <= MOST_WRITTEN_CLASSES:
        for row, column in np.argwhere(share >= LEAST_WRITTEN):
            colour = ON_COLOUR if share[row, column] > 0.55 else INK
            text = f"{100 * share[row, column]:.0f}"
            axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    axis.grid(False)
    axis.spines[:].set_visible(True)
    axis.set(xlabel="predicted", ylabel="label")


def draw_roc_curves(axis: Axes, truth: np.ndarray, scores: np.ndarray, names: list[str], title: str) -> None:
    """Draw a ROC curve for each column of truth and scores [n, names], the most frequent ones; truth may be nan."""
    frequent = np.argsort(-(truth == 1).sum(axis=0), kind="stable")[:MOST_ROC_CLASSES]
    for position, number in enumerate(sorted(frequent)):
        known = np.isfinite(truth[:, number])
        present = truth[known, number] == 1
        if present.any() and not present.all():
            colour = COLOURS[position % len(COLOURS)]
            axis.plot(*roc_points(present, scores[known, number]), color=colour, label=names[number])
    axis.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=1)
    axis.set_title(title if len(names) <= MOST_ROC_CLASSES else f"{title} (the {MOST_ROC_CLASSES} most frequent)")
    axis.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1.01))
    axis.legend(fontsize=7, loc="lower right")


def draw_areas(axis: Axes, findings: dict[str, dict[str, Any]]) -> None:
    """Draw ROC-AUC and average precision of each finding, the best at the top."""
    order = sorted(findings, key=lambda name: findings[name]["roc_auc"] or 0.0)
    for number, (key, title) in enumerate({"roc_auc": "ROC-AUC", "pr_auc": "average precision"}.items()):
        values = [np.nan if findings[name][key] is None else findings[name][key] for name in order]
        axis.plot(values, range(len(order)), "o", color=COLOURS[number], label=title)
    axis.axvline(0.5, color=MUTED, linestyle=":", linewidth=1)
    names = [f"{shortened(name, LONGEST_NAME)} ({findings[name]['images']})" for name in order]
    axis.set_yticks(range(len(order)), names, fontsize=7)
    axis.set(xlim=(0, 1.01), title="By finding (its test images)")
    axis.legend(fontsize=7, loc="lower right")
