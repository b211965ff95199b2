"""A class for each pixel. Images need no labels; those that have some are split by them."""

from __future__ import annotations

import pandas as pd

from medtransfer.data.labels import label_problems
from medtransfer.data.targets import TARGETS
from medtransfer.data.targets.classes import Classes
from medtransfer.study import Labels


class Masks(Classes):
    """See `Target`."""

    per_pixel = True
    noun = "masks"
    properties = frozenset[str]()

    def problems(self, table: pd.DataFrame, labels: Labels) -> list[str]:
        """Return labels that are missing or may be one class under two names."""
        return label_problems(table, labels)


TARGETS.register("masks", Masks())
