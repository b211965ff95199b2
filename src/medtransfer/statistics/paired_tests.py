"""Paired tests of differences between variants on the same test images, and the correction for their number."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from medtransfer.statistics.intervals import jackknifed


def holm(p_values: np.ndarray) -> np.ndarray:
    """Correct p values by Holm's step-down rule (1979): the k-th smallest of m times m - k + 1, made non-decreasing.

    Undefined ones (nan) stay undefined and do not count.
    """
    corrected = np.full(len(p_values), np.nan)
    known = np.flatnonzero(np.isfinite(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


ROUNDING = 1e-12
"""The spread of equal numbers can be this large by rounding."""


@dataclass(frozen=True)
class Differences:
    """Differences: standard error and its degrees of freedom, interval and two-sided p value, each an array."""

    value: np.ndarray
    error: np.ndarray
    freedom: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray


def paired_differences(
    value: np.ndarray,
    resampled: np.ndarray,
    groups: int,
    freedom: float,
    confidence: float,
    influence: np.ndarray | None = None,
) -> Differences:
    """Test differences that were computed in every resample.

    value: [differences]. resampled: [resamples, differences], nan where not defined. The p value and interval are those
    of Student's t with `freedom` degrees of freedom and the bootstrap standard error. A constant difference
    has p = 0, or p = 1 if it is 0. influence: [groups, differences], that of groups of several sizes, from which error
    and freedom are taken where all are defined; see `jackknife`.
    """
    from scipy.special import stdtr, stdtrit  # those of scipy.stats.t, which takes half a second to import

    known = np.isfinite(resampled)
    count = known.sum(axis=0)
    mean = np.where(known, resampled, 0).sum(axis=0) / np.maximum(count, 1)
    square = np.where(known, (resampled - mean) ** 2, 0).sum(axis=0) / np.maximum(count - 1, 1)
    error = np.sqrt(square * groups / max(groups - 1, 1))
    by_difference = np.full(len(value), float(freedom))
    if influence is not None:
        for number in np.flatnonzero(np.isfinite(influence).all(axis=0)):
            error[number], by_difference[number] = jackknifed(influence[:, number], freedom)
    error = np.where(error < ROUNDING, 0.0, error)
    error = np.where((count > 1) & (groups > 1), error, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * stdtr(by_difference, -np.abs(value) / error)
    p = np.where(error == 0, np.where(value == 0, 1.0, 0.0), p)
    reach = stdtrit(by_difference, (1 + confidence) / 2) * error
    return Differences(value, error, by_difference, value - reach, value + reach, p)


def sign_flip_test(differences: np.ndarray) -> float:
    """Return the exact two-sided p value of integer differences [groups] between two variants.

    If the variants are equally good, the sign of each group's difference is random: p is the share of all 2^groups
    choices of signs whose sum is at least as far from 0 (Fisher 1935). For one run of single images this is McNemar's
    exact test (1947). The distribution of the sum is computed from its characteristic function, a product of cosines,
    to 1e-15.
    """
    sizes, counts = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    total = abs(int(differences.sum()))
    if len(sizes) == 0:
        return 1.0
    if len(sizes) == 1:
        from scipy.stats import binomtest

        trials = int(counts[0])
        return float(binomtest((trials + total // int(sizes[0])) // 2, trials).pvalue)
    from scipy.fft import next_fast_len

    reach = int((sizes * counts).sum())
    length = next_fast_len(2 * reach + 1, real=True)
    angles = 2 * np.pi * np.arange(length // 2 + 1) / length
    cosines = [np.cos(size * angles) ** count for size, count in zip(sizes, counts, strict=True)]
    shares = np.fft.irfft(np.prod(cosines, axis=0), length)
    nearer = shares[0] + 2 * shares[1:total].sum() if total else 0.0
    return float(np.clip(1 - nearer, 0, 1))


def corrected_resampled_t_test(differences: np.ndarray, test_to_train: float) -> float:
    """Return the two-sided p value of differences between two variants [folds], averaged over seeds.

    Folds share training images, so that their differences vary too little: the variance is multiplied by 1 / folds +
    test_to_train, the ratio of test to training images, instead of 1 / folds (Nadeau and Bengio 2003, "Inference for
    the Generalization Error"). It is nan for a single fold.
    """
    from scipy.special import stdtr

    folds = len(differences)
    if folds < 2:
        return math.nan
    mean, spread = float(differences.mean()), float(differences.std(ddof=1))
    if spread == 0:
        return 1.0 if mean == 0 else 0.0
    statistic = mean / (spread * math.sqrt(1 / folds + test_to_train))
    return float(2 * stdtr(folds - 1, -abs(statistic)))


def delong_test(difference: float, influence: np.ndarray) -> float:
    """Return the two-sided p value of a difference between two areas, from that of their influences [groups]."""
    from scipy.special import ndtr

    error = math.sqrt(float((influence**2).sum()))
    if error < ROUNDING:
        return 1.0 if difference == 0 else 0.0
    return float(2 * ndtr(-abs(difference) / error))
