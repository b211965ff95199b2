"""What predicted classes of images are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.data.prepared import Prepared
from medtransfer.tasks.class_baselines import predict_majority, predict_nearest_neighbour
from medtransfer.tasks.class_figures import write_variant_figure
from medtransfer.tasks.class_metrics import evaluate_predictions
from medtransfer.tasks.predictions import Predictions, predictions_frame
from medtransfer.tasks.scoring.scoring import Baselines


class Classification:
    """See `Scoring`; answers are probabilities [n, classes]."""

    @property
    def baselines(self) -> Baselines:
        """Give the commonest and the nearest."""
        return {"majority": predict_majority, "nearest_neighbour": predict_nearest_neighbour}

    def frame(
        self, prepared: Prepared, rows: np.ndarray, answers: np.ndarray, fold: int, seed: int, role: str
    ) -> pd.DataFrame:
        """Make rows of `Predictions`."""
        return predictions_frame(prepared.table.iloc[rows], answers, prepared.classes, fold, seed, role)

    def summary(self, table: pd.DataFrame, prepared: Prepared) -> dict[str, Any]:
        """Compute metrics by run, their means, the classes' own, and the confusion matrix."""
        return evaluate_predictions(Predictions(table))

    def figure(
        self, name: str, history: Path, table: pd.DataFrame, found: dict[str, Any], prepared: Prepared, path: Path
    ) -> None:
        """Draw learning curves, the confusion matrix and ROC curves."""
        write_variant_figure(name, history, Predictions(table), found, path)
