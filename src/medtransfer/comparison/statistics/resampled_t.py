"""Whether a difference would also be there after training on other images: folds that take turns in testing."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats


def corrected_resampled_t_test(differences: np.ndarray, test_to_train: float) -> float:
    """Give the two-sided p value of differences between two variants [folds], seeds averaged.

    Folds share training images, which makes their differences vary too little: the variance is multiplied by 1 / folds
    + test_to_train, the number of test images over that of training images, instead of 1 / folds (Nadeau and Bengio
    2003, "Inference for the Generalization Error"). nan for a single fold.
    """
    folds = len(differences)
    if folds < 2:
        return math.nan
    mean, spread = float(differences.mean()), float(differences.std(ddof=1))
    if spread == 0:
        return 1.0 if mean == 0 else 0.0
    statistic = mean / (spread * math.sqrt(1 / folds + test_to_train))
    return float(2 * stats.t.sf(abs(statistic), folds - 1))
