"""Points for `dvc plots`: a few small tables over all variants, kept in git."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from medtransfer.evaluation.curves import macro_roc
from medtransfer.evaluation.predictions import Predictions
from medtransfer.files import write_text

CURVES = ("train_loss", "validation_loss", "validation_accuracy")


def write_plots(folder: Path, predictions: dict[str, Predictions], histories: dict[str, Path]) -> None:
    """Write learning_curves.csv, roc_curves.csv and confusion.csv; rows bear their variant."""
    _write(folder / "learning_curves.csv", [_learning(name, path) for name, path in histories.items()])
    tests = {name: found.of_role("test") for name, found in predictions.items()}
    _write(folder / "roc_curves.csv", [_roc(name, test) for name, test in tests.items()])
    _write(folder / "confusion.csv", [_confusion(name, test) for name, test in tests.items()])


def _learning(name: str, path: Path) -> pd.DataFrame:
    mean = pd.read_csv(path).groupby("epoch")[list(CURVES)].mean().reset_index()
    mean["epoch"] += 1
    return mean.assign(variant=name)


def _roc(name: str, test: Predictions) -> pd.DataFrame:
    labels = test.images["label"].to_numpy()
    curves = [macro_roc(labels, scores) for scores in test.replicates]
    mean = np.mean([true_rate for _, true_rate in curves], axis=0)
    return pd.DataFrame({"false_positive_rate": curves[0][0], "true_positive_rate": mean}).assign(variant=name)


def _confusion(name: str, test: Predictions) -> pd.DataFrame:
    scores = test.replicates
    labels = np.tile(test.images["label"].to_numpy(), len(scores))
    names = np.array(test.classes)
    pairs = pd.DataFrame({"label": names[labels], "predicted": names[scores.argmax(axis=2).ravel()]})
    table = pd.crosstab(pairs["label"], pairs["predicted"]).reindex(columns=test.classes, fill_value=0)
    counts = table.stack().rename("count").reset_index()
    counts["share"] = counts["count"] / counts.groupby("label")["count"].transform("sum")
    return counts.assign(variant=name)


def _write(path: Path, tables: list[pd.DataFrame]) -> None:
    table = pd.concat(tables, ignore_index=True)
    columns = ["variant", *(column for column in table if column != "variant")]
    write_text(path, table[columns].to_csv(index=False, float_format="%.5g", lineterminator="\n"))
