"""Points for `dvc plots`: a few small tables over all variants, kept in git."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from medtransfer.comparison.results import CONFUSION, CURVES, LEARNING, Comparison
from medtransfer.evaluation.curves import macro_roc
from medtransfer.evaluation.predictions import Predictions
from medtransfer.files import atomic_folder, write_text

CURVE_FILES = {
    "roc": ("roc_curves", "false_positive_rate", "true_positive_rate"),
    "precision_recall": ("precision_recall_curves", "recall", "precision"),
    "net_benefit": ("decision_curves", "threshold_probability", "net_benefit"),
}
"""The file of each kind of curve, and what its x and y are called there."""

LEARNED = ("train_loss", "validation_loss", "validation_accuracy")


def write_plots(folder: Path, found: Comparison) -> None:
    """Write one file of each kind of points that the task has; rows bear their variant."""
    tables = {"learning_curves": found.learning, "confusion": found.confusion, "reliability": found.reliability}
    for curve, (name, x, y) in CURVE_FILES.items():
        points = found.curves[found.curves["curve"] == curve]
        tables[name] = points[["variant", "x", "y"]].rename(columns={"x": x, "y": y})
    with atomic_folder(folder) as temporary:
        for name, table in tables.items():
            if not table.empty:
                _write(temporary / f"{name}.csv", table)


def learning_table(histories: dict[str, Path]) -> pd.DataFrame:
    """Read how each variant learned, mean over its runs."""
    tables = [_learning(name, path) for name, path in histories.items()]
    return pd.concat(tables, ignore_index=True)[list(LEARNING)]


def roc_table(tests: dict[str, Predictions]) -> pd.DataFrame:
    """Make the mean ROC curve of each variant."""
    return pd.concat([_roc(name, test) for name, test in tests.items()], ignore_index=True).reindex(columns=CURVES)


def confusion_table(tests: dict[str, Predictions]) -> pd.DataFrame:
    """Count, for each variant, which label was predicted as which class."""
    return pd.concat([_confusion(name, test) for name, test in tests.items()], ignore_index=True)[list(CONFUSION)]


def _learning(name: str, path: Path) -> pd.DataFrame:
    mean = pd.read_csv(path).groupby("epoch")[list(LEARNED)].mean().reset_index()
    mean["epoch"] += 1
    return mean.assign(variant=name)


def _roc(name: str, test: Predictions) -> pd.DataFrame:
    labels = test.images["label"].to_numpy()
    curves = [macro_roc(labels, scores) for scores in test.replicates]
    mean = np.mean([true_rate for _, true_rate in curves], axis=0)
    return pd.DataFrame({"variant": name, "curve": "roc", "x": curves[0][0], "y": mean})


def _confusion(name: str, test: Predictions) -> pd.DataFrame:
    scores = test.replicates
    labels = np.tile(test.images["label"].to_numpy(), len(scores))
    names = np.array(test.classes)
    pairs = pd.DataFrame({"label": names[labels], "predicted": names[scores.argmax(axis=2).ravel()]})
    table = pd.crosstab(pairs["label"], pairs["predicted"]).reindex(columns=test.classes, fill_value=0)
    counts = table.stack().rename("count").reset_index()
    counts["share"] = counts["count"] / counts.groupby("label")["count"].transform("sum")
    return counts.assign(variant=name)


def _write(path: Path, table: pd.DataFrame) -> None:
    write_text(path, table.to_csv(index=False, float_format="%.5g", lineterminator="\n"))
