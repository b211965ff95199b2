"""Whether probabilities mean what they say: reliability, and the calibration error with its bias known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtransfer.comparison.statistics.resampling import Resamples
from medtransfer.evaluation.classification import CALIBRATION_BINS, confidence_bins


@dataclass(frozen=True)
class Reliability:
    """Accuracy against confidence, by equal bins of the largest probability: each array [bins].

    images: over all runs. confidence, accuracy: their means, nan in an empty bin. groups: how many have an image there.
    resampled: the accuracy of each resample [resamples, bins].
    """

    images: np.ndarray
    groups: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    resampled: np.ndarray


def reliability(labels: np.ndarray, probabilities: np.ndarray, resamples: Resamples) -> Reliability:
    """Compare labels [images] with probabilities [runs, images, classes]."""
    confidence = probabilities.max(axis=2)
    right = probabilities.argmax(axis=2) == labels
    inside = confidence_bins(confidence)[:, :, None] == np.arange(CALIBRATION_BINS)
    images = inside.sum(axis=(0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_confidence = (inside * confidence[:, :, None].astype(np.float64)).sum(axis=(0, 1)) / images
        accuracy = (inside & right[:, :, None]).sum(axis=(0, 1)) / images
        counts = resamples.totals(inside.sum(axis=0))
        resampled = resamples.totals((inside & right[:, :, None]).sum(axis=0)) / counts
    occurs = np.zeros((resamples.groups, CALIBRATION_BINS), bool)
    np.logical_or.at(occurs, resamples.group, inside.any(axis=0))
    return Reliability(images, occurs.sum(axis=0), mean_confidence, accuracy, resampled)


def calibrated_errors(confidence: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the calibration errors [draws] that a perfectly calibrated model would show: what is bias of few images.

    confidence: [images], the largest probabilities. In each bin as many are right as a binomial draw with the bin's
    mean confidence says (consistency resampling: Bröcker and Smith 2007). Images count as independent: with groups, the
    true reference is a little higher.
    """
    bins = confidence_bins(confidence)
    images = np.bincount(bins, minlength=CALIBRATION_BINS)
    expected = np.bincount(bins, weights=confidence.astype(np.float64), minlength=CALIBRATION_BINS)
    right = rng.binomial(images, np.clip(expected / np.maximum(images, 1), 0, 1), size=(draws, CALIBRATION_BINS))
    return np.abs(right - expected).sum(axis=1) / len(confidence)
