"""Numbers and names in the wording of the page."""

from __future__ import annotations

import math

import pytest

from medtransfer.report.wording import (
    breakable,
    in_interval,
    p_alone,
    three_digits,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.012345, "0.0123"), (1.2345, "1.23"), (12.345, "12.3"), (123.45, "123"), (12345.6, "12,300"),
     (9.999, "10.0"), (None, "–"), (math.nan, "–")],
)  # fmt: skip
def test_three_significant_digits(value: float | None, text: str) -> None:
    assert three_digits(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0004, "< .001"), (0.012, ".012"), (1.0, "> .999"), (math.nan, "–")])
def test_p_values(value: float, text: str) -> None:
    assert p_alone(value).replace("\N{NO-BREAK SPACE}", " ") == text


def test_names_and_intervals() -> None:
    assert in_interval(0.1, 0.25) == "[.100, .250]"
    assert in_interval(math.nan, 0.2) == ""
    assert in_interval(9.876, 12.34) == "[9.876, 12.3]"
    assert breakable("a_<b>") == "a_<wbr>&lt;b&gt;"
