"""Which variants are tied with the best: Holm's rule by hand and by its definition, and paired differences."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from medtransfer.comparison.ties import differences_to_best, holm


def test_holms_example_worked_by_hand() -> None:
    # sorted: .005 x 4, .01 x 3, .03 x 2, .04 x 1; the last may not fall below the one before it
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holms_rule_is_bonferronis_closed_over_every_set_of_hypotheses(p_values: list[float]) -> None:
    numbers = range(len(p_values))
    sets = [chosen for size in range(1, len(p_values) + 1) for chosen in combinations(numbers, size)]
    bonferroni = {chosen: min(1.0, len(chosen) * min(p_values[number] for number in chosen)) for chosen in sets}
    expected = [max(bonferroni[chosen] for chosen in sets if number in chosen) for number in numbers]
    np.testing.assert_allclose(holm(np.array(p_values)), expected)


def test_no_other_variant_is_no_correction() -> None:
    assert holm(np.array([])).shape == (0,)


def resamples(mean: float, spread: float, seed: int) -> np.ndarray:
    """Give 999 values whose mean and standard deviation are exactly these."""
    drawn = np.random.default_rng(seed).normal(size=999)
    return mean + spread * (drawn - drawn.mean()) / drawn.std(ddof=1)


def test_p_values_are_those_of_the_normal_difference_then_corrected() -> None:
    best = resamples(0.9, 0.02, 0)
    values = {"near": 0.88, "best": 0.9, "far": 0.8}
    gaps = {"near": resamples(-0.02, 0.02, 1), "far": resamples(-0.1, 0.04, 2)}
    resampled = {"best": best} | {name: best + gap for name, gap in gaps.items()}
    found = differences_to_best(values, resampled, "best", 0.95)
    raw_near, raw_far = 2 * norm.sf(1.0), 2 * norm.sf(2.5)
    assert found["far"].p == pytest.approx(2 * raw_far)
    assert found["near"].p == pytest.approx(raw_near)
    assert (found["best"].p, found["best"].value, found["best"].tied) == (1.0, 0.0, True)
    assert found["near"].tied
    assert not found["far"].tied
    assert found["far"].value == pytest.approx(-0.1)
    assert (found["far"].low, found["far"].high) == pytest.approx(np.quantile(gaps["far"], [0.025, 0.975]))


def test_the_confidence_decides_what_is_tied() -> None:
    best = resamples(0.9, 0.02, 0)
    resampled = {"best": best, "other": best + resamples(-0.04, 0.02, 1)}  # two standard errors: p = .0455
    tied = {
        confidence: differences_to_best({"best": 0.9, "other": 0.86}, resampled, "best", confidence)["other"].tied
        for confidence in (0.9, 0.95, 0.99)
    }
    assert tied == {0.9: False, 0.95: False, 0.99: True}


def test_pairing_counts_differences_and_not_the_spread_that_both_share() -> None:
    shared = resamples(0.8, 0.1, 0)  # hard and easy resamples move both variants alike
    found = differences_to_best(
        {"best": 0.82, "other": 0.8}, {"best": shared + 0.02, "other": shared + resamples(0, 0.004, 1)}, "best", 0.95
    )
    assert not found["other"].tied


@pytest.mark.parametrize(("gap", "p"), [(0.0, 1.0), (-0.1, 0.0)])
def test_differences_that_never_vary_are_certain(gap: float, p: float) -> None:
    best = np.full(50, 0.5)
    found = differences_to_best({"best": 0.5, "other": 0.5 + gap}, {"best": best, "other": best + gap}, "best", 0.95)
    assert found["other"].p == p
    assert found["other"].tied == (gap == 0)


def test_resamples_in_which_a_metric_is_not_defined_are_left_out() -> None:
    best, other = resamples(0.9, 0.02, 0), resamples(0.85, 0.02, 1)
    with_gaps = best.copy(), other.copy()
    for values in with_gaps:
        values[:10] = np.nan
    plain = differences_to_best({"a": 0.9, "b": 0.85}, {"a": best[10:], "b": other[10:]}, "a", 0.95)
    assert differences_to_best({"a": 0.9, "b": 0.85}, dict(zip("ab", with_gaps, strict=True)), "a", 0.95) == plain
