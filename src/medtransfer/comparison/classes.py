"""Tables of a task with classes: each class by itself, confusions, curves, images; The table of how well a variant found the mask of each test image."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medtransfer.comparison.results import CONFUSION, CURVES, IMAGES, MASKS, PER_CLASS, frame
from medtransfer.comparison.scores import CLASS_VALUES, Scores
from medtransfer.comparison.test_set import TestSet
from medtransfer.tasks.classes.figures import MOST_POINTS, macro_curves
from medtransfer.tasks.classes.predictions import Predictions
from medtransfer.tasks.masks.predictions import MaskPredictions


def per_class_table(name: str, scores: Scores, test: TestSet) -> pd.DataFrame:
    """Give a variant's rows of `Comparison.per_class`."""
    images = np.bincount(test.labels, minlength=len(test.classes))
    rows = []
    for number, label in enumerate(test.classes):
        row = {"variant": name, "class": label, "images": images[number], "groups": test.groups_of_class[number]}
        for value in CLASS_VALUES:
            found = scores.of_classes[value][number]
            row |= {value: found.value, f"{value}_low": found.low, f"{value}_high": found.high}
        rows.append(row)
    return frame(PER_CLASS, rows)


def confusion_table(name: str, tests: Predictions) -> pd.DataFrame:
    """Count which label was predicted as which class, over all runs; labels without images have no rows."""
    scores, labels, classes = tests.replicates, tests.images["label"].to_numpy(), len(tests.classes)
    cells = (labels * classes + scores.argmax(axis=2)).ravel()
    counts = np.bincount(cells, minlength=classes**2).reshape(classes, classes)
    present = np.flatnonzero(counts.sum(axis=1))
    names = np.array(tests.classes)
    table = pd.DataFrame(
        {
            "variant": name,
            "label": np.repeat(names[present], classes),
            "predicted": np.tile(names, len(present)),
            "count": counts[present].ravel(),
            "share": (counts[present] / counts[present].sum(axis=1, keepdims=True)).ravel(),
        }
    )
    return table[list(CONFUSION)]


def curve_table(name: str, tests: Predictions) -> pd.DataFrame:
    """Give the points of a variant's ROC and precision-recall curves, mean over runs."""
    labels = tests.images["label"].to_numpy()
    curves = np.mean([macro_curves(labels, scores) for scores in tests.replicates], axis=0)
    grid = np.linspace(0.0, 1.0, MOST_POINTS)
    tables = [
        pd.DataFrame({"variant": name, "curve": curve, "x": grid, "y": values})
        for curve, values in zip(("roc", "precision_recall"), curves, strict=True)
    ]
    return pd.concat(tables, ignore_index=True).reindex(columns=CURVES)


def image_table(name: str, tests: Predictions) -> pd.DataFrame:
    """Say how a variant did on each test image; see `Comparison.images`."""
    images, scores = tests.images, tests.replicates
    labels, names = images["label"].to_numpy(), np.array(tests.classes)
    mean = scores.mean(axis=0, dtype=np.float64)
    table = pd.DataFrame(
        {
            "variant": name,
            "path": images["path"],
            "group": images["group"],
            "label": names[labels],
            "predicted": names[mean.argmax(axis=1)],
            "right": (scores.argmax(axis=2) == labels).mean(axis=0),
            "probability": mean[np.arange(len(labels)), labels],
        }
    )
    return table[list(IMAGES)]


def mask_table(name: str, tests: MaskPredictions) -> pd.DataFrame:
    """Say how a variant did on each test image; see `Comparison.masks`."""
    means = {column: tests.values(column).mean(axis=0) for column in ("truth_pixels", "found_pixels", "dice")}
    return tests.images[["path", "group"]].assign(variant=name, **means)[list(MASKS)]
