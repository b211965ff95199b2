"""Rows of predictions, an image and run each, as arrays of replicates and images; A variant's predictions on disk: a row an image and run, the probabilities of all classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from medtransfer.util.files import atomic_file


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


PREFIX = "p_"


@dataclass(frozen=True)
class Predictions:
    """Predictions of all runs of a variant.

    table: path, group, fold, seed, role (`validation` or `test`), label (class number), and a float32
    column `p_CLASS` for each class.
    """

    table: pd.DataFrame

    @property
    def classes(self) -> list[str]:
        """Name the classes in the order of their numbers."""
        return [name.removeprefix(PREFIX) for name in self.table.columns if name.startswith(PREFIX)]

    def of_role(self, role: str) -> Predictions:
        """Keep the rows of one role."""
        return Predictions(self.table[self.table["role"] == role])

    def runs(self) -> dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]:
        """Give labels [n] and probabilities [n, classes] of each (fold, seed)."""
        return {
            (int(fold), int(seed)): (rows["label"].to_numpy(), self._probabilities(rows))
            for (fold, seed), rows in self.table.groupby(["fold", "seed"])
        }

    def with_probabilities(self, by_run: dict[tuple[int, int], np.ndarray]) -> Predictions:
        """Put other probabilities [n, classes] in place of each (fold, seed)'s."""
        columns = [f"{PREFIX}{name}" for name in self.classes]
        table = self.table.copy()
        for (fold, seed), probabilities in by_run.items():
            chosen = (table["fold"] == fold) & (table["seed"] == seed)
            table.loc[chosen, columns] = probabilities.astype(np.float32)
        return Predictions(table)

    @cached_property
    def replicates(self) -> np.ndarray:
        """Give probabilities [replicates, images, classes] in the order of `images`; see `replicated`."""
        columns = [name for name in self.table.columns if name.startswith(PREFIX)]
        return replicated(self.table, columns).astype(np.float32)

    @cached_property
    def images(self) -> pd.DataFrame:
        """Give path, group and label of each image once, sorted by path."""
        return images_of(self.table, ["path", "group", "label"])

    def _probabilities(self, rows: pd.DataFrame) -> np.ndarray:
        return rows[[name for name in rows.columns if name.startswith(PREFIX)]].to_numpy(np.float32)


def predictions_frame(
    images: pd.DataFrame, probabilities: np.ndarray, classes: list[str], fold: int, seed: int, role: str
) -> pd.DataFrame:
    """Make the rows of one run and role from rows of the prepared table and probabilities [n, classes]."""
    frame = pd.DataFrame(
        {
            "path": images["path"].to_numpy(),
            "group": images["group"].to_numpy(),
            "fold": fold,
            "seed": seed,
            "role": role,
            "label": images["label_index"].to_numpy(),
        }
    )
    scores = pd.DataFrame(probabilities.astype(np.float32), columns=[f"{PREFIX}{name}" for name in classes])
    return pd.concat([frame, scores], axis=1)


def write_rows(path: Path, frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Write the rows of all runs as one parquet file, atomically; give them."""
    table = pd.concat(frames, ignore_index=True)
    with atomic_file(path) as temporary:
        table.to_parquet(temporary, index=False)
    return table


def write_predictions(path: Path, frames: list[pd.DataFrame]) -> Predictions:
    """Write the rows of all runs of a classification; see `write_rows`."""
    return Predictions(write_rows(path, frames))
