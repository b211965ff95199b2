"""Which variants are not inferior to the best, and which of them is recommended."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from medtransfer.comparison.compare import compute_comparison
from medtransfer.comparison.margins import margin_table, recommended
from medtransfer.comparison.pages import comparison_page
from medtransfer.comparison.results import Comparison
from medtransfer.report.page import verdict_text
from medtransfer.study import Study
from medtransfer.util.places import Places


@pytest.fixture(scope="module")
def made() -> Callable[..., pd.DataFrame]:
    """Return a function that judges four variants whose errors of numbers differ by known amounts."""

    def judge(errors: dict[str, float], margin: float | None, se: float = 0.1) -> pd.DataFrame:
        names = sorted(errors, key=errors.__getitem__)
        pairs = pd.DataFrame(
            [
                {"metric": "mae", "a": a, "b": b, "difference": errors[a] - errors[b], "se": se, "freedom": 50}
                for number, a in enumerate(errors)
                for b in list(errors)[number + 1 :]
            ]
        )
        gaps = np.array([errors[name] - errors[names[0]] for name in names])
        rows = {"variant": names, "kind": "variant", "difference_to_best": gaps, "tied_with_best": gaps < 0.35}
        return margin_table(pd.DataFrame(rows), pairs, "mae", margin, 0.95)

    return judge


def test_each_variant_has_the_outcome_of_its_difference(made: Callable[..., pd.DataFrame]) -> None:
    found = made({"much": 3.0, "best": 1.0, "like": 1.01, "less": 1.5}, margin=1.0).set_index("variant")
    assert found["outcome"].to_dict() == {
        "best": "best",
        "like": "equivalent",
        "less": "equivalent",  # significantly worse, but by less than the margin
        "much": "worse",
    }
    assert found.loc["less", "worse"]
    wide = made({"best": 1.0, "like": 1.2}, margin=0.3).set_index("variant")
    assert wide.loc["like", "outcome"] == "undecided"


def test_a_smaller_error_is_never_inferior(made: Callable[..., pd.DataFrame]) -> None:
    """`mae` is better if it is smaller: a difference above 0 is a loss."""
    found = made({"best": 1.0, "worse": 1.9}, margin=0.5).set_index("variant")
    assert found.loc["best", "p_not_inferior"] < 1e-6
    assert found.loc["worse", "p_not_inferior"] > 0.99


def test_without_a_margin_only_the_detectable_difference_is_known(made: Callable[..., pd.DataFrame]) -> None:
    found = made({"best": 1.0, "like": 1.2}, margin=None)
    assert found["outcome"].isna().all()
    assert found["detectable"].iloc[1] == pytest.approx((2.0086 + 0.8489) * 0.1, rel=1e-3)
    assert np.isnan(found["detectable"].iloc[0])


def test_the_cheapest_that_is_not_inferior_is_recommended(made: Callable[..., pd.DataFrame]) -> None:
    margins = made({"best": 1.0, "like": 1.01, "twin": 1.02, "much": 3.0}, margin=1.0)
    sizes = {"multiply_adds": [9, 5, 5, 1], "parameters": [9, 5, 4, 1], "trainable_parameters": 1}
    table = pd.DataFrame({"variant": ["best", "like", "twin", "much"], "kind": "variant"} | sizes)
    assert recommended(margins, table) == "twin"


def test_the_page_and_the_verdict_name_it(study_with: Callable[..., Study], finished: Places) -> None:
    found = compute_comparison(study_with(margin=0.15), finished)
    text, verdict = comparison_page(found), str(verdict_text(found.verdict))
    assert "| Margin .150 |" in text.replace("  ", "")
    assert found.margins["outcome"].tolist()[0] == "best"
    assert found.verdict.not_inferior == ("strong",)
    assert verdict.endswith("Not inferior by a margin of .150: strong; recommended: strong, the cheapest.")
    assert f"Recommended: {found.verdict.recommended}" in text


def test_a_study_without_a_margin_has_neither_column_nor_recommendation(
    study_with: Callable[..., Study], finished: Places
) -> None:
    found: Comparison = compute_comparison(study_with(), finished)
    text = comparison_page(found)
    assert "Margin" not in text
    assert "Recommended" not in text
    assert "Smallest detectable difference" in text
    assert found.verdict.margin is None
    se = found.pairs[found.pairs["metric"] == "accuracy"].set_index(["a", "b"])["se"]
    strong = found.margins.set_index("variant").loc["weak", "se"]
    assert strong == pytest.approx(se.loc["weak", found.verdict.best])
