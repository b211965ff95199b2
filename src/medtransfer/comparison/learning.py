"""How the variants learned."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from medtransfer.comparison.results import LEARNING


def learning_table(histories: dict[str, Path]) -> pd.DataFrame:
    """Read the histories of variants, mean over runs, epochs counted from 1; see `Comparison.learning`."""
    tables = []
    for name, path in histories.items():
        mean = pd.read_csv(path).groupby("epoch").mean().reset_index()
        score = next(column for column in mean if column.startswith("validation_") and column != "validation_loss")
        tables.append(mean.assign(variant=name, epoch=mean["epoch"] + 1, validation_score=mean[score]))
    return pd.concat(tables, ignore_index=True)[list(LEARNING)]
