"""One of several classes that have an order."""

from __future__ import annotations

import math

import pandas as pd

from medtransfer.data.targets import TARGETS
from medtransfer.data.targets.classes import Classes
from medtransfer.study import Data
from medtransfer.util.errors import UserError
from medtransfer.util.text import yaml_word


class Grades(Classes):
    """See `Target`."""

    listed_as = "grades"
    ordered = True

    def remark(self, labels: pd.Series) -> str | None:
        """Return nothing: the order of the grades is shown."""
        return None

    def classes(self, labels: pd.Series, data: Data) -> list[str]:
        """Return the classes as `data.order` lists them, or else those that are numbers in the order of these.

        Raises `UserError` with the line to add if they are not.
        """
        if data.order is not None:
            return super().classes(labels, data)
        names = sorted(labels.unique())
        numbers = [_number(name) for name in names]
        if not all(map(math.isfinite, numbers)):
            listed = ", ".join(map(yaml_word, names))
            raise UserError(
                f"data.order: the order of {listed} is not known; list all of them from the lowest to the highest: "
                "data.order: [LOWEST, …, HIGHEST]"
            )
        return [name for _, name in sorted(zip(numbers, names, strict=True))]


def _number(name: str) -> float:
    try:
        return float(name)
    except ValueError:
        return math.nan


TARGETS.register("grades", Grades())
