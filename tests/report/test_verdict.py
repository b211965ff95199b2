"""The comparison in two sentences: the best, the ties, the worse."""

from __future__ import annotations

import html
import re

import pytest

from medtransfer.comparison.results import Verdict
from medtransfer.report.verdict import verdict_text

NAMES = tuple("bcdefgh")
BEST = "a is best: accuracy .860 [.800, .910]"


def said(tied: tuple[str, ...], worse: dict[str, float]) -> str:
    text = verdict_text(Verdict("accuracy", "a", 0.86, 0.8, 0.91, tied, worse))
    return html.unescape(re.sub("<.+?>", "", text)).replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("tied", "worse", "expected"),
    [
        (("b", "c"), {"d": 0.003},
         f"{BEST}; b and c are tied with it. d (p = .003) is worse, corrected for all comparisons."),
        (("b",), {}, f"{BEST}; b is tied with it. No other is shown to be worse."),
        ((), {}, "a stands alone: accuracy .860 [.800, .910]. There is nothing to compare it with."),
        ((), {"b": 1e-9, "c": 0.04},
         f"{BEST}. b (p < .001) and c (p = .040) are worse, corrected for all comparisons."),
        (NAMES[:6], {},
         f"{BEST}; b, c, d, e and 2 others are tied with it. No other is shown to be worse."),
        ((), {name: 0.001 * number for number, name in enumerate(NAMES, 1)},
         f"{BEST}. The other 7 variants are worse (each p ≤ .007, corrected for all comparisons)."),
    ],
)  # fmt: skip
def test_what_is_said(tied: tuple[str, ...], worse: dict[str, float], expected: str) -> None:
    assert said(tied, worse) == expected


def test_names_are_escaped() -> None:
    text = verdict_text(Verdict("accuracy", "<a>", 0.8, 0.7, 0.9, ("<b>",), {"<c>": 0.01}))
    assert re.findall("<.+?>", text) == ["<b>", "</b>"]
