"""Bars in the cells of a table: a value and its interval on a scale that all rows of a column share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from medtransfer.report.wording import in_interval
from medtransfer.util.text import is_missing, typeset

LEAST_RANGE = 0.01


@dataclass(frozen=True)
class Scale:
    """The range of a column's bars: round numbers around all values shown."""

    low: float
    high: float

    @classmethod
    def around(cls, values: np.ndarray) -> Scale:
        """Return the scale of some values; nan is ignored; without values, it is from 0 to 1."""
        known = values[np.isfinite(values)]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        step = 10.0 ** math.floor(math.log10(max(high - low, LEAST_RANGE))) / 2
        first = math.floor(low / step + 1e-9)
        return cls(first * step, max(math.ceil(high / step - 1e-9), first + 1) * step)

    @property
    def ends(self) -> dict[str, str]:
        """Both ends, as text for the head of the column."""
        return {"low": typeset(self.low, 2), "high": typeset(self.high, 2)}

    def place(self, value: float) -> float:
        """Return the position of a value, in percent of the bar's width."""
        return round(100 * (value - self.low) / (self.high - self.low), 1)

    def cell(self, value: float, low: Any, high: Any, zero: float | None = None, mark: str = "point") -> dict[str, Any]:
        """Return a cell for the macro `bar`: value and interval in words and positions.

        zero: where to draw a dashed line. mark: `point` for our values, `published` for those of others.
        """
        cell = {
            "value": f"{value:.6g}",
            "text": typeset(value),
            "interval": in_interval(low, high),
            mark: self.place(value),
        }
        if not is_missing(low):
            left = self.place(low)
            cell |= {"left": left, "width": round(self.place(high) - left, 1)}
        return cell if zero is None else cell | {"zero": self.place(zero)}
