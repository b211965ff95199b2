"""Calibration: reliability, the calibration error and its bias, and temperature scaling."""

from __future__ import annotations

import numpy as np

from medtransfer.statistics.resampling import Resamples

CALIBRATION_BINS = 15
LEAST_PROBABILITY = 1e-7


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray, weights: Resamples) -> np.ndarray:
    """Average the distance of accuracy from confidence over 15 equal bins of the largest probability, by their counts.

    labels: [images]. probabilities: [images, classes]. Returns one error per resample. Guo et al. 2017, "On Calibration
    of Modern Neural Networks".
    """
    confidence = probabilities.max(axis=1)
    gaps = (probabilities.argmax(axis=1) == labels) - confidence.astype(np.float64)
    inside = confidence_bins(confidence)[:, None] == np.arange(CALIBRATION_BINS)
    return np.asarray(np.abs(weights.means(inside * gaps[:, None])).sum(axis=1))


def confidence_bins(confidence: np.ndarray) -> np.ndarray:
    """Return the bin of each of the largest probabilities: one of 15 of equal width, closed above."""
    return np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)


def reliability(labels: np.ndarray, probabilities: np.ndarray, resamples: Resamples) -> dict[str, np.ndarray]:
    """Compare labels [images] with probabilities [runs, images, classes], by bins of the largest probability.

    Returns arrays [bins]: images, over all runs; groups, the number of groups with an image in the bin; confidence and
    accuracy, their means, nan in an empty bin; and resampled, the accuracy in each resample [resamples, bins].
    """
    confidence = probabilities.max(axis=2)
    inside = confidence_bins(confidence)[:, :, None] == np.arange(CALIBRATION_BINS)
    right = inside & (probabilities.argmax(axis=2) == labels)[:, :, None]
    images = inside.sum(axis=(0, 1))
    occurs = np.zeros((resamples.groups, CALIBRATION_BINS), bool)
    np.logical_or.at(occurs, resamples.group, inside.any(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "images": images,
            "groups": occurs.sum(axis=0),
            "confidence": (inside * confidence[:, :, None].astype(np.float64)).sum(axis=(0, 1)) / images,
            "accuracy": right.sum(axis=(0, 1)) / images,
            "resampled": resamples.totals(right.sum(axis=0)) / resamples.totals(inside.sum(axis=0)),
        }


def calibrated_errors(confidence: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw calibration errors [draws] of a perfectly calibrated model: the bias that few images cause.

    confidence: [images], the largest probabilities. The number of right images in each bin is a binomial draw with the
    bin's mean confidence (consistency resampling, Bröcker and Smith 2007). Images count as independent; with groups,
    the errors would be a little larger.
    """
    bins = confidence_bins(confidence)
    images = np.bincount(bins, minlength=CALIBRATION_BINS)
    expected = np.bincount(bins, weights=confidence.astype(np.float64), minlength=CALIBRATION_BINS)
    right = rng.binomial(images, np.clip(expected / np.maximum(images, 1), 0, 1), size=(draws, CALIBRATION_BINS))
    return np.abs(right - expected).sum(axis=1) / len(confidence)


RANGE = (0.02, 50.0)


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the temperature, within 0.02 to 50, that minimises the log loss of probabilities [n, classes].

    labels: [n]. The loss is convex in 1 / temperature.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    logits = _logits(probabilities)
    rows = np.arange(len(labels))

    def loss(inverse: float) -> float:
        return float(-log_softmax(logits * inverse, axis=1)[rows, labels].mean())

    found = minimize_scalar(loss, bounds=(1 / RANGE[1], 1 / RANGE[0]), method="bounded", options={"xatol": 1e-6})
    return 1 / float(found.x)


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return probabilities [n, classes] at a temperature: raised to its inverse and normalised."""
    from scipy.special import softmax

    return softmax(_logits(probabilities) / temperature, axis=1)


def _logits(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities.astype(np.float64), LEAST_PROBABILITY))
