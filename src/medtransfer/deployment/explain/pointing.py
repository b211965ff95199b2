"""Measures of how well maps match masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtransfer.statistics.intervals import SHARE, Bounds, standard_error, transformed_interval
from medtransfer.statistics.resampling import Resamples
from medtransfer.tasks.predictions import defined

DIFFERENCE = Bounds(-1.0, 1.0)
"""The bounds of differences of shares, and of correlations."""


def pointing_hits(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return whether the maximum of each map [n, h, w] is inside its mask, bool [n, h, w]: 0 or 1, float [n].

    Zhang et al. 2016, "Top-down Neural Attention by Excitation Backprop", without their tolerance around the mask. With
    several maxima, it is the share inside; of a map that is 0 everywhere, 0.
    """
    highest = maps == maps.max(axis=(1, 2), keepdims=True)
    shares = (highest & masks).sum(axis=(1, 2)) / highest.sum(axis=(1, 2))
    return np.where(maps.any(axis=(1, 2)), shares, 0.0)


def energy_inside(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return the share of each map's sum that is inside the mask; of a map that is 0 everywhere, 0.

    The energy-based pointing game of Wang et al. 2020, "Score-CAM". Of a constant map, it is the share of the image
    that the mask covers.
    """
    total = maps.sum(axis=(1, 2), dtype=np.float64)
    inside = (maps * masks).sum(axis=(1, 2), dtype=np.float64)
    return np.divide(inside, total, out=np.zeros_like(total), where=total > 0)


def rank_correlations(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return Spearman's correlation between the pixels of two maps of each image; nan if one map is constant.

    If it is near 1 between a trained and an untrained network, the map shows the edges of the image rather than what
    was learned: Adebayo et al. 2018, "Sanity Checks for Saliency Maps".
    """
    from scipy.stats import rankdata

    first, second = (rankdata(found.reshape(len(found), -1), axis=1) for found in (maps, others))
    first, second = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (first, second))
    products = (first * second).sum(axis=1)
    sizes = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.divide(products, sizes, out=np.full(len(maps), np.nan), where=sizes > 0)


@dataclass(frozen=True)
class Evidence:
    """A sample of images with its groups, and bootstrap resamples of it."""

    sample: Resamples
    resamples: Resamples
    confidence: float

    def mean(self, values: np.ndarray, bounds: Bounds = SHARE) -> dict[str, float | None]:
        """Return the mean of values [images], without nan, and its interval; None if undefined."""
        value = float(self.sample.means_of_known(values[:, None])[0, 0])
        error = standard_error(self.resamples.means_of_known(values[:, None])[:, 0], self.sample.groups)
        low, high = transformed_interval(value, error, self.sample.groups - 1, self.confidence, bounds)
        return {name: defined(found) for name, found in (("value", value), ("low", low), ("high", high))}
