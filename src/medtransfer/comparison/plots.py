"""Points for `dvc plots`: a few small tables over all variants, kept in git."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from medtransfer.comparison.results import CONFUSION, CURVES, LEARNING, Comparison
from medtransfer.evaluation.curves import macro_roc
from medtransfer.evaluation.predictions import Predictions
from medtransfer.files import write_text

LEARNED = ("train_loss", "validation_loss", "validation_accuracy")


def write_plots(folder: Path, found: Comparison) -> None:
    """Write learning_curves.csv, roc_curves.csv and confusion.csv; rows bear their variant."""
    roc = found.curves[found.curves["curve"] == "roc"]
    names = {"x": "false_positive_rate", "y": "true_positive_rate"}
    _write(folder / "learning_curves.csv", found.learning)
    _write(folder / "roc_curves.csv", roc[["variant", "x", "y"]].rename(columns=names))
    _write(folder / "confusion.csv", found.confusion)


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
