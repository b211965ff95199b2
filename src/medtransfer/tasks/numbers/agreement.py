"""Bias and limits of agreement between predicted and true numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtransfer.statistics.resampling import Resamples, the_sample

REACH = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""

UNKNOWN = (float("nan"), float("nan"))


@dataclass(frozen=True)
class Limits:
    """The lower limit, the bias and the upper limit, and their intervals; nan if unknown."""

    values: tuple[float, float, float]
    intervals: tuple[tuple[float, float], ...] = (UNKNOWN,) * 3

    @classmethod
    def of(cls, truth: np.ndarray, predicted: np.ndarray) -> Limits:
        """Return the limits of agreement of numbers [images]."""
        (found,) = limits_of_agreement(predicted - truth, the_sample(np.arange(len(truth))))
        return cls((float(found[0]), float(found[1]), float(found[2])))


def limits_of_agreement(differences: np.ndarray, weights: Resamples) -> np.ndarray:
    """Return lower limit, bias and upper limit in each resample, [resamples, 3].

    The limits are bias +- 1.96 standard deviations of the differences [images], with n - 1 degrees of freedom: 95 % of
    differences are between them if these are normal (Bland and Altman 1986, "Statistical methods for assessing
    agreement between two methods of clinical measurement").
    """
    centre = differences.mean()
    away = differences - centre
    means = weights.means(np.stack([away, away**2], axis=1)).astype(np.float64)
    images = weights.images[:, 0].astype(np.float64)
    variance = np.maximum(means[:, 1] - means[:, 0] ** 2, 0) * images / np.maximum(images - 1, 1)
    bias, reach = means[:, 0] + centre, REACH * np.sqrt(variance)
    return np.stack([bias - reach, bias, bias + reach], axis=1)
