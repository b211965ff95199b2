"""The section `search` of a strategy: which of its numbers are searched, where, and by how many trials."""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from medtransfer.study.section import EACH_ONCE, OTHER, WORD, Count, Section

Number = int | float
Ends = Annotated[list[float], Field(min_length=2, max_length=2)]
Values = Annotated[list[Number], Field(min_length=1), EACH_ONCE]
TRIALS = 20


class Range(Section):
    """Numbers between two ends, drawn evenly on a scale: `log` or `linear`."""

    log: Ends | None = None
    linear: Ends | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest number."""
        low, high = self.log or self.linear or (0.0, 0.0)
        return low, high

    @model_validator(mode="after")
    def _from_low_to_high(self) -> Range:
        if (self.log is None) == (self.linear is None):
            raise ValueError("expected log: [LOW, HIGH] or linear: [LOW, HIGH]")
        low, high = self.ends
        if not low < high or not math.isfinite(high - low):
            raise ValueError(f"expected [LOW, HIGH], but got [{low:g}, {high:g}]")
        if self.log is not None and low <= 0:
            raise ValueError(f"log: numbers must be above 0, but got {low:g}")
        return self


class Search(Section):
    """The search of a strategy's numbers, within each run and judged by its validation images alone.

    space: the numbers by their names in the strategy, such as `lr`, `weight_decay`, `dropout`: a list of values, or a
    range. trials: how many trainings each run has; by default 20, and with `grid` all combinations. sampler: `tpe`
    (tree-structured Parzen estimator, Bergstra et al. 2011), which begins with random trials, `random`, or `grid`, all
    combinations of lists. After the first half of the trials, one that is worse than the median of earlier ones at the
    same epoch ends early.
    """

    space: Annotated[
        dict[
            str,
            Annotated[
                Annotated[Values, Tag(WORD)] | Annotated[Range, Tag(OTHER)],
                Discriminator(lambda value: WORD if isinstance(value, list) else OTHER),
            ],
        ],
        Field(min_length=1),
    ]
    trials: Count | None = None
    sampler: Literal["tpe", "random", "grid"] = "tpe"

    @property
    def budget(self) -> int:
        """The number of trials of each run."""
        return len(self.grid) if self.sampler == "grid" else self.trials or TRIALS

    @property
    def grid(self) -> list[dict[str, Number]]:
        """All combinations of the lists of values."""
        lists = [values for values in self.space.values() if isinstance(values, list)]
        return [dict(zip(self.space, values, strict=True)) for values in itertools.product(*lists)]

    @property
    def corners(self) -> list[dict[str, Number]]:
        """Values that between them have every listed value and both ends of every range."""
        each = [values if isinstance(values, list) else [*values.ends] for values in self.space.values()]
        most = max(map(len, each))
        return [
            {name: values[n % len(values)] for name, values in zip(self.space, each, strict=True)} for n in range(most)
        ]

    @model_validator(mode="after")
    def _a_grid_is_of_lists(self) -> Search:
        if self.sampler != "grid":
            return self
        for name, values in self.space.items():
            if isinstance(values, Range):
                raise ValueError(f"space.{name}: sampler: grid needs a list of values")
        if self.trials not in (None, self.budget):
            raise ValueError(f"trials: the grid has {self.budget} combinations; omit trials")
        return self
