"""Numbers and names as the page writes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from medtransfer.util.text import in_figures as with_hyphen

LEAST_P, LONG = 0.001, 10.0
MINUS, SPACE = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"


def is_missing(value: Any) -> bool:
    """Say whether a cell of a table has no value."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def in_figures(value: Any, digits: int = 3) -> str:
    """Write a share as `.873`, a length as `12.3`, with a true minus sign, or `–` where there is none."""
    if not is_missing(value) and abs(value) >= LONG:
        digits = 1
    return with_hyphen(value, digits).replace("-", MINUS)


def breakable(name: str) -> Markup:
    """Give a name as HTML that may break after its underscores."""
    return Markup("_<wbr>").join(escape(part) for part in name.split("_"))


def in_interval(low: Any, high: Any, digits: int = 3) -> str:
    """Write an interval as `[.501, .723]`, or nothing where there is none."""
    return "" if is_missing(low) or is_missing(high) else f"[{in_figures(low, digits)}, {in_figures(high, digits)}]"


def p_value(value: Any) -> str:
    """Write a p value with its sign: `= .012`, `< .001`, `> .999`, on one line."""
    if is_missing(value):
        return "–"
    if value < LEAST_P:
        return f"<{SPACE}.001"
    return f">{SPACE}.999" if value > 1 - LEAST_P else f"={SPACE}{in_figures(value)}"


def p_alone(value: Any) -> str:
    """Write a p value for a column of them: `.012`, `< .001`."""
    return p_value(value).removeprefix(f"={SPACE}")


def listed(names: Sequence[str]) -> str:
    """Write `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def counted(number: int, noun: str) -> str:
    """Write `no images`, `1 image`, `2 images`."""
    return f"{f'{number:,}' if number else 'no'} {noun}{'' if number == 1 else 's'}"


def three_digits(value: Any) -> str:
    """Write a measure with three digits that count: `0.0123`, `1.23`, `123`, `12,300`."""
    if is_missing(value):
        return "–"
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.{min(max(2 - math.floor(math.log10(abs(rounded))), 0), 4)}f}"
