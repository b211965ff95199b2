"""Rows of predictions, an image and run each, as arrays of replicates and images."""

from __future__ import annotations

import numpy as np
import pandas as pd


def images_of(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Give `columns`, the first of them `path`, of each image once, sorted by path."""
    return table[columns].drop_duplicates("path").sort_values("path", ignore_index=True)


def replicated(table: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Give `columns` as [replicates, images, columns], the images sorted by path.

    A replicate predicts every image once: a run where the test rows are fixed; all folds of a seed
    together where the folds take turns in testing.
    """
    ordered = table.sort_values("path", kind="stable")
    count = int(ordered.groupby("path").size().iloc[0])
    replicate = ordered.groupby("path").cumcount().to_numpy()
    values = ordered[columns].to_numpy()
    return np.stack([values[replicate == number] for number in range(count)])
