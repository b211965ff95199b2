"""McNemar's exact test, for any number of runs and images a group."""

from __future__ import annotations

import numpy as np
from scipy.fft import next_fast_len
from scipy.stats import binomtest


def sign_flip_test(differences: np.ndarray) -> float:
    """Give the exact two-sided p value of whole-numbered differences [groups] between two variants.

    If two variants are alike, each group's difference might as well have the other sign: p is the share
    of all 2^groups choices of signs whose sum is at least as far from 0 (Fisher 1935). For one run of single
    images the differences are -1, 0 and 1, and the test is McNemar's (1947), exact. The sum's distribution is
    computed from its characteristic function, the product of cosines, to 1e-15.
    """
    sizes, counts = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    total = abs(int(differences.sum()))
    if len(sizes) == 0:
        return 1.0
    if len(sizes) == 1:
        trials = int(counts[0])
        return float(binomtest((trials + total // int(sizes[0])) // 2, trials).pvalue)
    reach = int((sizes * counts).sum())
    length = next_fast_len(2 * reach + 1, real=True)
    angles = 2 * np.pi * np.arange(length // 2 + 1) / length
    cosines = [np.cos(size * angles) ** count for size, count in zip(sizes, counts, strict=True)]
    shares = np.fft.irfft(np.prod(cosines, axis=0), length)
    nearer = shares[0] + 2 * shares[1:total].sum() if total else 0.0
    return float(np.clip(1 - nearer, 0, 1))
