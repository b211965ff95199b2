"""The interface between evaluation and a task; nothing else in evaluation asks which task it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from medtransfer.data.prepared import Prepared

Baselines = dict[str, Callable[[Prepared], Iterator[pd.DataFrame]]]


class Scoring(Protocol):
    """What evaluation asks of a task."""

    @property
    def baselines(self) -> Baselines:
        """Give what predicts every row without a network, by the names of `study.BASELINES`."""

    def frame(
        self, prepared: Prepared, rows: np.ndarray, answers: np.ndarray, fold: int, seed: int, role: str
    ) -> pd.DataFrame:
        """Make the rows of predictions of one run and role from the answers that training's task gives of logits."""

    def summary(self, table: pd.DataFrame, prepared: Prepared) -> dict[str, Any]:
        """Compute the test metrics of rows of predictions: `runs`, `mean` and `sd` by metric, and `test_images`."""

    def figure(
        self, name: str, history: Path, table: pd.DataFrame, found: dict[str, Any], prepared: Prepared, path: Path
    ) -> None:
        """Draw how a variant learned and what its predictions are worth."""
