"""Effects of factors: the better level comes first."""

from __future__ import annotations

import pandas as pd
import pytest

from medtransfer.comparison.results import EFFECTS
from medtransfer.report.material import Material
from medtransfer.report.sections.factors import content, oriented

from ..comparison import make_comparison
from ..tables import frame

NEGATIVE = {
    "metric": "accuracy",
    "factor": "backbone",
    "a": "small",
    "b": "resnet",
    "contexts": 2,
    "difference": -0.3,
    "low": -0.4,
    "high": -0.25,
    "p": 0.01,
    "p_corrected": 0.02,
    "smallest": -0.5,
    "largest": -0.1,
}


def test_a_pair_with_a_negative_difference_is_swapped() -> None:
    row = oriented(frame(EFFECTS, [NEGATIVE])).iloc[0]
    assert (row["a"], row["b"]) == ("resnet", "small")
    assert row[["difference", "low", "high", "smallest", "largest"]].tolist() == pytest.approx(
        [0.3, 0.25, 0.4, 0.1, 0.5]
    )
    assert row["p_corrected"] == 0.02


def test_a_pair_with_a_positive_difference_is_unchanged() -> None:
    effects = make_comparison().effects
    pd.testing.assert_frame_equal(oriented(effects), effects, check_dtype=False)


def test_effects_are_grouped_by_factor_with_the_largest_first(material: Material) -> None:
    rows = [
        NEGATIVE,
        NEGATIVE | {"factor": "strategy", "difference": 0.1},
        NEGATIVE | {"a": "tiny", "difference": -0.35},
    ]
    found = make_comparison(effects=frame(EFFECTS, [*rows, NEGATIVE | {"metric": "roc_auc"}]))
    factors = content(Material(found, material.places))["factors"]
    assert [row["b"] for row in factors["backbone"]] == ["tiny", "small"]
    assert len(factors["strategy"]) == 1
