"""Predicted numbers of images, and intervals that hold a new image's number with a known frequency."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from medtransfer.statistics.metrics import Outcomes
from medtransfer.statistics.resampling import Resamples
from medtransfer.tasks.numbers.metrics import NumberOutcomes
from medtransfer.tasks.predictions import Predictions

COLUMNS = ["truth", "predicted", "low", "high"]
LEVEL = 0.95
"""The share of new images whose number an interval is to hold."""

ROUNDING = 1e-9


class NumberPredictions(Predictions):
    """See `Predictions`.

    The columns of the task are truth; predicted; deviation, that the network predicts, in standard deviations of
    the numbers that train, nan if it does not; and low and high, the ends of the predicted interval (`with_intervals`).
    """

    task: ClassVar[str] = "regression"
    image_columns: ClassVar[tuple[str, ...]] = ("path", "group", "truth")

    @property
    def averaged(self) -> list[str]:
        """The numbers."""
        return ["predicted"]

    def of_mean(self, table: pd.DataFrame) -> Self:
        """Add predicted intervals of the means, from their validation rows."""
        return replace(self, table=with_intervals(table.drop(columns=["low", "high"]).assign(deviation=np.nan)))

    def make_outcomes(self, weights: Resamples) -> list[Outcomes]:
        """Return the numbers, predictions and intervals of each replicate."""
        return [NumberOutcomes(weights, *values.T) for values in self.values]

    @property
    def values(self) -> np.ndarray:
        """`COLUMNS`, float64 [replicates, images, columns], in the order of `images`; see `replicated`."""
        return self.replicated(COLUMNS).astype(np.float64)

    def summary(self) -> dict[str, Any]:
        """Add the number of test images to the summary."""
        return super().summary() | {"test_images": len(self.images)}


def conformal_quantile(scores: np.ndarray, groups: np.ndarray, level: float = LEVEL) -> float:
    """Return the score that an image of a new group stays below with probability `level`; inf if unknown.

    Split conformal prediction (Papadopoulos et al. 2002) for groups of images: each of K groups has the weight
    1 / (K + 1), shared by its images, and the new group has the rest at infinity (Lee, Barber and Willett 2023,
    "Distribution-free inference with hierarchical data"). If each image is a group of its own, that is the plain rule:
    the ceil(level (n + 1))-th smallest of n scores. scores: [n], of images that did not train. groups: [n].
    """
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(1 / sizes[group[order]]) / (len(sizes) + 1)
    place = int(np.searchsorted(reached, level - ROUNDING))
    return float(scores[order][place]) if place < len(scores) else float("inf")


def with_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """Add the columns low and high to rows of predictions, by run; nan if a run has too few groups to validate.

    table: see `NumberPredictions`. The score of an image is its absolute error, as a multiple of the deviation that the
    network predicts for it, if it does.
    """
    if "low" in table:
        return table
    unit = table["deviation"].fillna(1.0).to_numpy(np.float64)
    scores = np.abs(table["truth"] - table["predicted"]).to_numpy(np.float64) / unit
    validation, groups = (table["role"] == "validation").to_numpy(), table["group"].to_numpy()
    reach = np.full(len(table), np.nan)
    for rows in table.groupby(["fold", "seed"]).indices.values():
        known = rows[validation[rows]]
        reach[rows] = conformal_quantile(scores[known], groups[known]) * unit[rows]
    reach[np.isinf(reach)] = np.nan
    return table.assign(low=table["predicted"] - reach, high=table["predicted"] + reach)
