"""Tests of non-inferiority against a margin, and the smallest difference that a test can find.

Non-inferiority and equivalence by one-sided tests: Schuirmann 1987, "A comparison of the two one-sided tests procedure
and the power approach". A claim about the best of several needs a test against each of them, each at the full level:
Berger 1982, "Multiparameter hypothesis testing and acceptance sampling"; Hsu 1984, "Constrained simultaneous
confidence intervals for multiple comparisons with the best".
"""

from __future__ import annotations

import numpy as np


def not_inferior_p(gain: np.ndarray, error: np.ndarray, freedom: float | np.ndarray, margin: float) -> np.ndarray:
    """Return the p value of the hypothesis that a true gain is -margin or less; arrays of one shape.

    gain: by how much one variant is better than another (negative: worse), with its standard error. An error of 0
    leaves no doubt: p is 0 or 1.
    """
    from scipy.special import stdtr  # that of scipy.stats.t, which takes half a second to import

    with np.errstate(invalid="ignore", divide="ignore"):
        p = stdtr(freedom, -(gain + margin) / error)
    return np.where(error == 0, np.where(gain > -margin, 0.0, 1.0), p)


def not_inferior_to_any_p(p: np.ndarray) -> np.ndarray:
    """Return the p values that variants are inferior to at least one other by the margin: [variants].

    p: `not_inferior_p` of each variant (rows) against each other (columns); the diagonal is ignored. The largest of a
    row is the p value of the row's intersection-union test, which needs no correction for their number, and holds for
    the truly best variant, whichever it is. Undefined (nan) if one of them is.
    """
    others = np.where(np.eye(len(p), dtype=bool), -np.inf, p)
    return np.asarray(others.max(axis=1))


def detectable_difference(
    error: np.ndarray, freedom: float | np.ndarray, level: float, power: float = 0.8
) -> np.ndarray:
    """Return the true difference that a two-sided t test at `level` finds with probability `power`.

    error: standard errors of differences; see Cohen 1988, "Statistical Power Analysis". The noncentral t is
    approximated by a shifted one.
    """
    from scipy.special import stdtrit

    return np.asarray((stdtrit(freedom, 1 - level / 2) + stdtrit(freedom, power)) * error)
