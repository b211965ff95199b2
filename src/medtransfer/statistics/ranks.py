"""Variants across several sets of images: average ranks, and how far they must lie apart.

Demšar 2006, "Statistical Comparisons of Classifiers over Multiple Data Sets".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Ranks:
    """Average ranks of variants over sets.

    average: [variants], 1 is best, ties share theirs. p: Friedman's test that all are alike (Iman and Davenport's F).
    critical_difference: average ranks that lie further apart differ (Nemenyi). cliques: variants, best first, that
    lie no further apart; none within another.
    """

    average: np.ndarray
    p: float
    critical_difference: float
    cliques: list[list[int]]


def average_ranks(values: np.ndarray, confidence: float) -> Ranks:
    """Rank values [sets, variants], the greatest first, in each set."""
    sets, variants = values.shape
    ranks = stats.rankdata(-values, axis=1)
    average = ranks.mean(axis=0)
    studentized = stats.studentized_range.ppf(confidence, variants, np.inf)
    difference = float(studentized / math.sqrt(2) * math.sqrt(variants * (variants + 1) / (6 * sets)))
    return Ranks(average, _friedman(values), difference, _cliques(average, difference))


def _friedman(values: np.ndarray) -> float:
    """Give the p value of Iman and Davenport's (1980) F, which is less conservative than Friedman's chi-square."""
    sets, variants = values.shape
    if (values == values[:, :1]).all():
        return 1.0
    chi_square = float(stats.friedmanchisquare(*values.T).statistic)
    room = sets * (variants - 1) - chi_square
    if room <= 0:
        return 0.0
    freedom = variants - 1
    return float(stats.f.sf((sets - 1) * chi_square / room, freedom, freedom * (sets - 1)))


def _cliques(average: np.ndarray, difference: float) -> list[list[int]]:
    order = np.argsort(average, kind="stable")
    found: list[list[int]] = []
    for start in range(len(order)):
        near = [int(number) for number in order[start:] if average[number] - average[order[start]] <= difference]
        if len(near) > 1 and not (found and near[-1] in found[-1]):
            found.append(near)
    return found
