"""Predictions of all runs of a variant: one row per image and run, in memory and on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from medtransfer.statistics.metrics import METRICS, Outcomes, metrics_of
from medtransfer.statistics.resampling import Resamples, the_sample
from medtransfer.study.schema import Comparison
from medtransfer.util.files import atomic_file
from medtransfer.util.places import run_name

RUN = ["fold", "seed"]
EXTERNAL = "external/"
"""The prefix of the name of an external test set in the role of its rows."""


@dataclass(frozen=True, eq=False)
class Predictions(ABC):
    """Predictions of all runs of a variant; each task has a subclass.

    table: path, group, fold, seed, role (`validation`, `test`, or that of an external test set), and columns of the
    task.
    """

    table: pd.DataFrame

    task: ClassVar[str]
    image_columns: ClassVar[tuple[str, ...]] = ("path", "group")

    @property
    def averaged(self) -> list[str]:
        """The columns of `table` whose mean over variants is a prediction; empty if there are none."""
        return []

    @property
    def classes(self) -> list[str]:
        """The names of the classes of images, by number; empty if images have none."""
        return []

    @property
    def members(self) -> np.ndarray:
        """The images of each class, bool [images, classes]: those that it labels."""
        return np.asarray(self.images["label"].to_numpy()[:, None] == np.arange(len(self.classes)))

    @abstractmethod
    def make_outcomes(self, weights: Resamples) -> list[Outcomes]:
        """Make the outcomes of each replicate (see `replicated`), the images in the order of `images`."""

    def outcomes(self, weights: Resamples) -> list[Any]:
        """Return the outcomes of each replicate, cached by `weights`: metrics share intermediate results."""
        if weights not in self._outcomes:
            self._outcomes[weights] = self.make_outcomes(weights)
        return self._outcomes[weights]

    @cached_property
    def _outcomes(self) -> dict[Resamples, list[Outcomes]]:
        return {}

    def of_mean(self, table: pd.DataFrame) -> Self:
        """Return predictions whose `averaged` columns are means."""
        return replace(self, table=table)

    def for_comparison(self, settings: Comparison) -> Self:
        """Return a copy with the settings of a study that metrics depend on."""
        del settings
        return replace(self)

    def of_role(self, role: str) -> Self:
        """Keep the rows of one role."""
        return replace(self, table=self.table[self.table["role"] == role])

    def of_external(self, name: str) -> Self:
        """Return the predictions as if the images of an external test set were the test rows."""
        kept = self.table[self.table["role"].isin(("validation", f"{EXTERNAL}{name}"))]
        return replace(self, table=kept.assign(role=kept["role"].replace(f"{EXTERNAL}{name}", "test")))

    @cached_property
    def tests(self) -> Self:
        """The test rows."""
        return self.of_role("test")

    @cached_property
    def images(self) -> pd.DataFrame:
        """The path, group and, if there is one, label of each image, sorted by path."""
        return self.table[list(self.image_columns)].drop_duplicates("path").sort_values("path", ignore_index=True)

    def by_run(self) -> dict[tuple[int, int], Self]:
        """Split the predictions by (fold, seed)."""
        return {(int(fold), int(seed)): replace(self, table=rows) for (fold, seed), rows in self.table.groupby(RUN)}

    def replicated(self, columns: list[str]) -> np.ndarray:
        """Return `columns` as [replicates, images, columns], the images sorted by path.

        A replicate predicts every image once: it is a run if the test rows are fixed, and all folds of a seed if folds
        take turns in testing.
        """
        ordered = self.table.sort_values("path", kind="stable")
        count = int(ordered.groupby("path").size().iloc[0])
        replicate = ordered.groupby("path").cumcount().to_numpy()
        values = ordered[columns].to_numpy()
        return np.stack([values[replicate == number] for number in range(count)])

    def mean_over_runs(self, name: str) -> float:
        """Compute the mean over runs of one metric; nan without rows."""
        metric = METRICS[name]
        runs = [run.outcomes(the_sample(np.arange(len(run.table)))) for run in self.by_run().values()]
        return float(np.mean([metric.value(outcome) for (outcome,) in runs])) if runs else float("nan")

    def metrics(self) -> dict[str, float]:
        """Compute every metric of a single run."""
        (run,) = self.outcomes(the_sample(np.arange(len(self.table))))
        return {name: metric.value(run) for name, metric in metrics_of(self.task, len(self.classes)).items()}

    def summary(self) -> dict[str, Any]:
        """Compute the metrics of every run (`runs`), and their mean and standard deviation (`mean`, `sd`)."""
        runs = {run_name(fold, seed): run.metrics() for (fold, seed), run in self.by_run().items()}
        values = pd.DataFrame(runs.values())
        return {
            "runs": {run: {name: defined(value) for name, value in found.items()} for run, found in runs.items()},
            "mean": {name: defined(values[name].mean()) for name in values},
            "sd": {name: defined(values[name].std(ddof=1)) for name in values},
        }


def rows_of_run(images: pd.DataFrame, own: pd.DataFrame, fold: int, seed: int, role: str) -> pd.DataFrame:
    """Make the rows of one run and role from rows of the prepared table and the columns that are the task's own."""
    frame = images[["path", "group"]].reset_index(drop=True).assign(fold=fold, seed=seed, role=role)
    return pd.concat([frame, own], axis=1)


def average(several: Sequence[Predictions]) -> Predictions | None:
    """Return the mean of the predictions of several variants for the same runs and images; None if they have none.

    Sums are in float64, in the order of the variants.
    """
    first, keys = several[0], ["role", *RUN, "path"]
    columns = first.averaged
    if not columns:
        return None
    tables = [each.table.sort_values(keys, kind="stable", ignore_index=True) for each in several]
    if any(not table[keys].equals(tables[0][keys]) for table in tables):
        return None
    mean = np.mean([table[columns].to_numpy(np.float64) for table in tables], axis=0)
    table = tables[0].copy()
    table[columns] = mean.astype(first.table[columns[0]].dtype)
    return first.of_mean(table)


def defined(value: float) -> float | None:
    """Return a value for JSON: None if it is nan."""
    return None if np.isnan(value) else float(value)


def role_at(role: str, fraction: float) -> str:
    """Return the role of rows that a training on a smaller fraction of its images predicts."""
    return f"{role}@{fraction:g}"


def split_fractions(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[float, pd.DataFrame]]:
    """Return the rows of the table's runs, and those of runs on smaller fractions by these, their roles as usual."""
    roles = table["role"].astype(str).str.partition("@")
    smaller = {
        float(fraction): rows.assign(role=roles[0][rows.index])
        for fraction, rows in table.groupby(roles[2])
        if fraction
    }
    return (table[roles[2] == ""] if smaller else table), smaller


def write_rows(path: Path, frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Write the rows of all runs as one parquet file, atomically, and return them."""
    table = pd.concat(frames, ignore_index=True)
    with atomic_file(path) as temporary:
        table.to_parquet(temporary, index=False)
    return table
