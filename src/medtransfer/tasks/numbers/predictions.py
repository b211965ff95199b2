"""Predicted numbers of images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from medtransfer.statistics.metrics import Outcomes
from medtransfer.statistics.resampling import Resamples
from medtransfer.tasks.numbers.intervals import with_intervals
from medtransfer.tasks.numbers.metrics import NumberOutcomes
from medtransfer.tasks.predictions import Predictions

COLUMNS = ["truth", "predicted", "low", "high"]


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
