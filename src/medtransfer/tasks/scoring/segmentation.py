"""What predicted masks are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.data.prepared import Prepared
from medtransfer.tasks.mask_baselines import predict_majority_mask, predict_nearest_mask
from medtransfer.tasks.mask_figures import write_mask_figure
from medtransfer.tasks.mask_predictions import MaskPredictions, mask_predictions_frame
from medtransfer.tasks.mask_summary import evaluate_masks
from medtransfer.tasks.scoring.scoring import Baselines


class Segmentation:
    """See `Scoring`; answers are masks of class numbers uint8 [n, h, w]."""

    @property
    def baselines(self) -> Baselines:
        """Give the commonest and the nearest."""
        return {"majority": predict_majority_mask, "nearest_neighbour": predict_nearest_mask}

    def frame(
        self, prepared: Prepared, rows: np.ndarray, answers: np.ndarray, fold: int, seed: int, role: str
    ) -> pd.DataFrame:
        """Make rows of `MaskPredictions`."""
        return mask_predictions_frame(prepared, rows, answers, fold, seed, role)

    def summary(self, table: pd.DataFrame, prepared: Prepared) -> dict[str, Any]:
        """Compute metrics by run, their means, and the classes' own."""
        return evaluate_masks(MaskPredictions(table), prepared.mask_classes, prepared.unit)

    def figure(
        self, name: str, history: Path, table: pd.DataFrame, found: dict[str, Any], prepared: Prepared, path: Path
    ) -> None:
        """Draw learning curves, the images' Dice, and the best, median and worst masks over their images."""
        write_mask_figure(name, history, MaskPredictions(table), prepared, path)
