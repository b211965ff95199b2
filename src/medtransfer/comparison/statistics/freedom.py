"""How many degrees of freedom a standard error has: how well so few groups can tell their own spread."""

from __future__ import annotations

import numpy as np

LEAST = 1.5


def class_freedom(groups_of_class: np.ndarray, groups: int) -> float:
    """Give the degrees of freedom of a mean over classes, each measured on its own few groups.

    groups_of_class: in how many groups each class occurs. Satterthwaite's rule (1946) for a sum of class means of
    equal spread; never more than groups - 1.
    """
    counts = np.maximum(groups_of_class[groups_of_class > 0], LEAST).astype(np.float64)
    found = (1 / counts).sum() ** 2 / (1 / counts**2 / (counts - 1)).sum()
    return float(max(min(found, groups - 1), LEAST))


def tail_freedom(influence: np.ndarray) -> float:
    """Give the degrees of freedom of the variance of influences [groups], heavy tails counted.

    A variance estimated from values of kurtosis k varies as one of 2 n / (k - 1 + 2 / (n - 1)) degrees of freedom
    does (Cramér 1946, moments of the sample variance): few groups that do most of the harm are few to learn from.
    Where none does any, classes being told apart without an error, there are no tails to count.
    """
    number, square = len(influence), float((influence**2).mean())
    if number < 2:
        return LEAST
    if square == 0:
        return number - 1.0
    kurtosis = float((influence**4).mean()) / square**2
    return 2 * number / (kurtosis - 1 + 2 / (number - 1))


def joint_freedom(first: float, second: float, groups: int) -> float:
    """Join two reasons for having fewer degrees of freedom than groups - 1; what each takes away adds up."""
    if groups < 2:
        return LEAST
    lost = max(1 / first + 1 / second - 1 / (groups - 1), 1 / (groups - 1))
    return max(1 / lost, LEAST)
