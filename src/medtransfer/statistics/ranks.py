"""Average ranks of variants over several sets of images, and the difference between them that is significant.

Demšar 2006, "Statistical Comparisons of Classifiers over Multiple Data Sets". scikit-posthocs has the pairwise p values
and a diagram, but neither Iman and Davenport's F nor the critical difference, and brings statsmodels and seaborn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medtransfer.statistics.paired_tests import holm


@dataclass(frozen=True)
class Ranks:
    """Average ranks of variants over sets.

    average: [variants]; 1 is best, and ties share their mean rank. p: of Friedman's test that all variants are equally
    good (Iman and Davenport's F). critical_difference: the difference of average ranks above which two variants differ
    (Nemenyi). cliques: the largest sets of variants, best first, that do not differ.
    """

    average: np.ndarray
    p: float
    critical_difference: float
    cliques: list[list[int]]


def average_ranks(values: np.ndarray, confidence: float) -> Ranks:
    """Rank values [sets, variants], the greatest first, in each set, and average the ranks."""
    from scipy import stats

    sets, variants = values.shape
    ranks = stats.rankdata(-values, axis=1)
    average = ranks.mean(axis=0)
    studentized = stats.studentized_range.ppf(confidence, variants, np.inf)
    difference = float(studentized / math.sqrt(2) * math.sqrt(variants * (variants + 1) / (6 * sets)))
    return Ranks(average, _friedman(values), difference, _cliques(average, difference))


def pairwise_tau(first: np.ndarray, second: np.ndarray) -> float:
    """Return Kendall's tau between two arrays of values [variants]; pairs that tie in one count as 0.

    It is nan for a single variant. Kendall 1938, "A new measure of rank correlation".
    """
    a, b = np.triu_indices(len(first), 1)
    return float((np.sign(first[a] - first[b]) * np.sign(second[a] - second[b])).mean()) if len(a) else math.nan


def tau_interval(differences: Sequence[np.ndarray], p: Sequence[np.ndarray], confidence: float) -> tuple[float, float]:
    """Return the ends of the interval of Kendall's tau between the true values of variants on two samples.

    differences, p: for both samples, the difference of each pair of variants and the p value of its test, [pairs]. The
    signs that Holm's rule over all of them finds are taken as known, and all others may be either: the interval spans
    the taus of all rankings that the samples do not exclude. Percentiles of resamples would not do: noise lowers a
    tau, and resampling adds it once more, so that close variants of the same order would seem to be of another.
    """
    if not len(differences[0]):
        return math.nan, math.nan
    level = 1 - confidence
    known = (np.nan_to_num(holm(np.concatenate(p)), nan=1.0) < level).reshape(2, -1).all(axis=0)
    signs = np.sign(differences[0]) * np.sign(differences[1]) * known
    return float(np.where(known, signs, -1).mean()), float(np.where(known, signs, 1).mean())


def _friedman(values: np.ndarray) -> float:
    """Return the p value of Iman and Davenport's F (1980), which is less conservative than Friedman's chi-square."""
    from scipy import stats

    sets, variants = values.shape
    if (values == values[:, :1]).all():
        return 1.0
    chi_square = float(stats.friedmanchisquare(*values.T).statistic)
    rest = sets * (variants - 1) - chi_square
    if rest <= 0:
        return 0.0
    freedom = variants - 1
    return float(stats.f.sf((sets - 1) * chi_square / rest, freedom, freedom * (sets - 1)))


def _cliques(average: np.ndarray, difference: float) -> list[list[int]]:
    order = np.argsort(average, kind="stable")
    found: list[list[int]] = []
    for start in range(len(order)):
        near = [int(number) for number in order[start:] if average[number] - average[order[start]] <= difference]
        if len(near) > 1 and not (found and near[-1] in found[-1]):
            found.append(near)
    return found
