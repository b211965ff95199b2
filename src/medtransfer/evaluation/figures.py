"""One picture of a variant: how it learned, what it confuses, how it ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from medtransfer.evaluation.curves import roc_points
from medtransfer.evaluation.predictions import Predictions
from medtransfer.plotting import COLOURS, new_figure, save_png

MOST_ROC_CLASSES = 8


def write_variant_figure(name: str, history: Path, predictions: Predictions, found: dict[str, Any], path: Path) -> None:
    """Draw learning curves, the confusion matrix of the test rows, and ROC curves side by side."""
    figure = new_figure(15, 4.8)
    curves, matrix, roc = figure.subplots(1, 3)
    draw_learning_curves(curves, pd.read_csv(history))
    draw_confusion(matrix, np.array(found["confusion"]), list(found["classes"]))
    draw_roc(roc, predictions.of_role("test"))
    runs, mean = len(found["runs"]), found["mean"]["accuracy"]
    figure.suptitle(f"{name}: accuracy {mean:.3f} on {found['test_images']} test images, {runs} runs")
    save_png(figure, path, dpi=90)


def draw_learning_curves(axis: Axes, history: pd.DataFrame) -> None:
    """Draw the loss of training views and validation images by epoch: each run thin, their mean thick."""
    lines = (
        ("train_loss", "training views", COLOURS[0]),
        ("validation_loss", "validation images", COLOURS[1]),
    )
    for column, label, colour in lines:
        for _, run in history.groupby(["fold", "seed"]):
            axis.plot(run["epoch"] + 1, run[column], color=colour, alpha=0.3, linewidth=0.8)
        mean = history.groupby("epoch")[column].mean()
        axis.plot(mean.index + 1, mean, color=colour, label=label, marker="o" if len(mean) == 1 else None)
    axis.set(title="Learning", xlabel="epoch", ylabel="loss (nats)")
    axis.set_ylim(bottom=0)
    axis.legend()


def draw_confusion(axis: Axes, matrix: np.ndarray, classes: list[str]) -> None:
    """Draw how each class's test images were predicted, in percent of the class."""
    share = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axis.imshow(share, cmap="Blues", vmin=0, vmax=100)
    names = [name if len(name) <= 22 else f"{name[:21]}…" for name in classes]
    axis.set_xticks(range(len(classes)), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=7)
    axis.set_yticks(range(len(classes)), names, fontsize=7)
    if len(classes) <= 15:
        for row, column in np.ndindex(*share.shape):
            colour = "white" if share[row, column] > 55 else "black"
            text = f"{share[row, column]:.0f}" if matrix[row, column] else ""
            axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    axis.grid(False)
    axis.set(title="Confusion (% of a class's images)", xlabel="predicted", ylabel="label")


def draw_roc(axis: Axes, test: Predictions) -> None:
    """Draw each class against the rest, over all runs together."""
    scores = np.concatenate([scores for _, scores in test.runs().values()])
    labels = np.concatenate([labels for labels, _ in test.runs().values()])
    classes = test.classes
    shown = range(len(classes)) if len(classes) > 2 else [1]
    frequent = sorted(shown, key=lambda number: -(labels == number).sum())[:MOST_ROC_CLASSES]
    for position, number in enumerate(sorted(frequent)):
        truth = labels == number
        if truth.any() and not truth.all():
            points = roc_points(truth, scores[:, number])
            axis.plot(*points, color=COLOURS[position % len(COLOURS)], label=classes[number])
    axis.plot([0, 1], [0, 1], color="#888888", linestyle=":", linewidth=1)
    title = "ROC, each class against the rest"
    axis.set(title=title if len(classes) <= MOST_ROC_CLASSES else f"{title} (the {MOST_ROC_CLASSES} most frequent)")
    axis.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1.01))
    axis.legend(fontsize=7, loc="lower right")
