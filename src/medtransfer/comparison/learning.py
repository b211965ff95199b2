"""How the variants learned."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from medtransfer.comparison.results import LEARNING

LEARNED = ("train_loss", "validation_loss", "validation_accuracy")


def learning_table(histories: dict[str, Path]) -> pd.DataFrame:
    """Read the histories of variants, mean over runs, epochs counted from 1; see `Comparison.learning`."""
    tables = []
    for name, path in histories.items():
        mean = pd.read_csv(path).groupby("epoch")[list(LEARNED)].mean().reset_index()
        tables.append(mean.assign(variant=name, epoch=mean["epoch"] + 1))
    return pd.concat(tables, ignore_index=True)[list(LEARNING)]
