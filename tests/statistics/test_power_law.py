"""Power laws: exact curves are found, and projections cover the truth of simulated ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from medtransfer.statistics.power_law import EXPONENTS, fit_power_laws, p_of_fit

SIZES = np.array([50.0, 100.0, 250.0, 500.0, 1000.0])


@pytest.mark.parametrize(("floor", "scale", "exponent"), [(0.1, 0.2, 0.5), (0.0, 0.3, 0.25), (0.2, 0.0, 1.0)])
def test_an_exact_curve_is_found(floor: float, scale: float, exponent: float) -> None:
    truth = floor + scale * (SIZES / 1000) ** -exponent
    law = fit_power_laws(SIZES, truth[None], 1e-4 * np.eye(5))
    assert law.misfit[0] == pytest.approx(0, abs=1e-12)
    assert law.at(2.0)[0] == pytest.approx(floor + scale * 2**-exponent, abs=1e-9)
    np.testing.assert_allclose(law.at(SIZES / 1000)[0], truth, atol=1e-9)


def test_the_fit_is_that_of_least_squares_with_coefficients_of_at_least_0() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 5))
    covariance = root @ root.T + np.eye(5)
    errors = rng.normal(size=(6, 5))
    law, whiten = fit_power_laws(SIZES, errors, covariance), np.linalg.inv(np.linalg.cholesky(covariance))
    for row, error in enumerate(errors):
        fits = [
            nnls(whiten @ np.column_stack([np.ones(5), (SIZES / 1000) ** -exponent]), whiten @ error)
            for exponent in EXPONENTS
        ]
        assert law.misfit[row] == pytest.approx(min(rest for _, rest in fits) ** 2)


def test_a_curve_that_is_no_power_law_is_told() -> None:
    bent = np.array([0.4, 0.2, 0.35, 0.15, 0.3])
    assert p_of_fit(fit_power_laws(SIZES, bent[None], 1e-4 * np.eye(5)), 5) < 1e-6
    rising = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    assert p_of_fit(fit_power_laws(SIZES, rising[None], 1e-4 * np.eye(5)), 5) < 1e-6
