"""The scales and rows of the table of variants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from medtransfer.report.bars import LEAST_RANGE, Scale
from medtransfer.report.material import Material
from medtransfer.report.sections.comparison import content


@example([-0.4375, -0.44140625])
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=10))
def test_a_scale_contains_all_values_and_is_not_much_wider(values: list[float]) -> None:
    scale = Scale.around(np.array(values))
    assert all(-1e-6 <= scale.place(value) <= 100 + 1e-6 for value in values)
    span = max(values) - min(values)
    assert scale.high - scale.low <= 2 * max(span, LEAST_RANGE) + 1e-9


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [((0.13, 0.42), 0.10, 0.45), ((0.5, 1.0), 0.5, 1.0), ((1.0, 1.0), 1.0, 1.005), ((3.2, 41), 0, 45)],
)
def test_a_scale_ends_at_round_numbers(values: tuple[float, ...], low: float, high: float) -> None:
    scale = Scale.around(np.array(values))
    assert (scale.low, scale.high) == pytest.approx((low, high))


def test_published_rows_are_below_ours_and_mark_our_bar(material: Material) -> None:
    rows = content(material)["rows"]
    assert [row["name"] for row in rows][2:4] == ["small_frozen", "small_frozen"]
    ours, theirs = rows[2], rows[3]
    assert theirs["follows"]
    assert not rows[-1]["follows"]
    assert ours["cells"][0]["published"] == theirs["cells"][0]["published"]
    assert ours["cells"][0]["differs"]
    assert "point" not in theirs["cells"][0]
    assert theirs["cells"][1] is None
    assert theirs["costs"][1]["text"] == ""


def test_published_results_outside_our_interval_are_listed(material: Material) -> None:
    (row,) = content(material)["differing"]
    assert (row["variant"], row["side"], row["published"]) == ("small_frozen", "below", ".700")
    assert row["ours"] == ".600 [.550, .650]"


def test_ties_badges_and_spreads(material: Material) -> None:
    rows = content(material)["rows"]
    assert [row["tied"] for row in rows[:2]] == [True, True]
    assert [row["best"] for row in rows] == [True] + [False] * 6
    assert [part["text"] for part in rows[0]["spread"]] == [".010", ".020", ".875"]
    assert [row["difference"] is None for row in rows] == [False, False, False, True, False, True, True]
