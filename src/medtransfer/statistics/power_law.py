"""How an error falls with the number of training images: a power law, fitted by generalised least squares.

The error of many learners is a + b n^-c for n training examples (Hestness et al. 2017; Viering and Loog 2023, "The
Shape of Learning Curves"): a cannot be learned away. Points of a curve share their test images, so that their errors
are correlated; whitened by their covariance, they are fitted as independent ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EXPONENTS = np.linspace(0.05, 2.0, 79)
LEAST_POINTS = 4
PARAMETERS = 3


@dataclass(frozen=True)
class PowerLaws:
    """Fitted curves, one per row of errors: [fits] each. Sizes are in units of the largest fitted one.

    misfit: the sum of squared, whitened residuals.
    """

    floor: np.ndarray
    scale: np.ndarray
    exponent: np.ndarray
    misfit: np.ndarray

    def at(self, size: float | np.ndarray) -> np.ndarray:
        """Return the error at a size, relative to the largest fitted one: [fits], or [fits, sizes]."""
        sizes = np.asarray(size, dtype=np.float64)
        if sizes.ndim:
            return self.floor[:, None] + self.scale[:, None] * sizes[None, :] ** -self.exponent[:, None]
        return np.asarray(self.floor + self.scale * sizes**-self.exponent)


def fit_power_laws(sizes: np.ndarray, errors: np.ndarray, covariance: np.ndarray) -> PowerLaws:
    """Fit a + b n^-c with a, b >= 0 and c from .05 to 2 to errors [fits, points] at sizes [points].

    covariance: of the errors of a row, [points, points]. For each exponent the best a and b are known in closed form.
    """
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))
    found, relative = errors @ whiten.T, sizes / sizes.max()
    laws = []
    for exponent in EXPONENTS:
        basis = whiten @ np.column_stack([np.ones(len(sizes)), relative**-exponent])
        floor, scale = _not_negative(basis, found)
        misfit = ((found - np.outer(floor, basis[:, 0]) - np.outer(scale, basis[:, 1])) ** 2).sum(axis=1)
        laws.append([floor, scale, np.full(len(errors), exponent), misfit])
    each = np.array(laws)
    best = each[:, -1].argmin(axis=0)
    return PowerLaws(*each[best, :, np.arange(len(errors))].T)


def _not_negative(basis: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solve least squares of two columns for coefficients of at least 0: [fits] each."""
    free = np.linalg.lstsq(basis, found.T, rcond=None)[0]
    alone = np.maximum(basis.T @ found.T / (basis**2).sum(axis=0)[:, None], 0)  # each column by itself
    gains = alone**2 * (basis**2).sum(axis=0)[:, None]
    first = gains[0] >= gains[1]
    inside = (free >= 0).all(axis=0)
    return (
        np.where(inside, free[0], np.where(first, alone[0], 0.0)),
        np.where(inside, free[1], np.where(first, 0.0, alone[1])),
    )


def p_of_fit(law: PowerLaws, points: int) -> float:
    """Return the p value of the hypothesis that the first curve describes its points, from its misfit."""
    from scipy.special import chdtrc  # of scipy.stats.chi2, which takes half a second to import

    return float(chdtrc(points - PARAMETERS, law.misfit[0]))
