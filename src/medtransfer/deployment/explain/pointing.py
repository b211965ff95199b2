"""How well a map points at what is known to be there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from medtransfer.statistics.intervals import SHARE, Bounds, standard_error, transformed_interval
from medtransfer.statistics.resampling import Resamples

DIFFERENCE = Bounds(-1.0, 1.0)
"""Between which bounds differences of shares lie, and correlations."""


def pointing_hits(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Say of each map [n, h, w] whether its highest point lies within the mask, bool [n, h, w].

    Zhang et al. 2016, "Top-down Neural Attention by Excitation Backprop", without their tolerance around the mask. Of
    several highest points the share within counts; a map that is 0 everywhere points nowhere: 0.
    """
    highest = maps == maps.max(axis=(1, 2), keepdims=True)
    shares = (highest & masks).sum(axis=(1, 2)) / highest.sum(axis=(1, 2))
    return np.where(maps.any(axis=(1, 2)), shares, 0.0)


def energy_inside(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Give the share of each map's sum that lies within the mask; 0 for a map that is 0 everywhere.

    The energy-based pointing game of Wang et al. 2020, "Score-CAM". Of a map that is the same everywhere it is the
    share of the image that the mask covers.
    """
    total = maps.sum(axis=(1, 2), dtype=np.float64)
    inside = (maps * masks).sum(axis=(1, 2), dtype=np.float64)
    return np.divide(inside, total, out=np.zeros_like(total), where=total > 0)


def rank_correlations(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Give Spearman's correlation between the places of two maps of each image; nan where one is constant.

    Near 1 between a trained and an untrained network it says that the map shows the image's edges rather than what was
    learned: Adebayo et al. 2018, "Sanity Checks for Saliency Maps".
    """
    first, second = (rankdata(found.reshape(len(found), -1), axis=1) for found in (maps, others))
    first, second = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (first, second))
    products = (first * second).sum(axis=1)
    sizes = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.divide(products, sizes, out=np.full(len(maps), np.nan), where=sizes > 0)


@dataclass(frozen=True)
class Evidence:
    """The sample of images with its groups, and resamples of these, from which means get their intervals."""

    sample: Resamples
    resamples: Resamples
    confidence: float

    def mean(self, values: np.ndarray, bounds: Bounds = SHARE) -> dict[str, float | None]:
        """Give the mean of values [images] that may be nan, and its interval; None where it is not defined."""
        value = float(self.sample.means_of_known(values[:, None])[0, 0])
        error = standard_error(self.resamples.means_of_known(values[:, None])[:, 0], self.sample.groups)
        low, high = transformed_interval(value, error, self.sample.groups - 1, self.confidence, bounds)
        return {name: _number(found) for name, found in (("value", value), ("low", low), ("high", high))}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
