"""Groups that stand in more than one published split: counted, and then failed, re-split, dropped or reported."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from medtransfer.dataset.split import usable_validation
from medtransfer.errors import UserError
from medtransfer.study import Data, Split

REMEDY = (
    "data.leakage: regroup splits anew by group, drop leaves the leaking training images out, "
    "report goes on and marks every table"
)


@dataclass(frozen=True)
class Crossing:
    """How many images have a sibling (same group, or an exact duplicate) where it must not be.

    test: test images with a sibling in train or validation. validation: validation images with one in train.
    groups: how many groups stand in more than one split.
    """

    groups: int
    test: int
    test_total: int
    validation: int
    validation_total: int

    def sentence(self) -> str:
        """Say it as a warning for a table."""
        return (
            f"{self.groups} groups stand in more than one split: {self.test} of {self.test_total} test images and "
            f"{self.validation} of {self.validation_total} validation images have a sibling that they are "
            "compared with or trained on"
        )


def find_crossing(table: pd.DataFrame) -> Crossing:
    """Count the groups and images of a split table (columns split, group) that cross."""
    splits_of = table.groupby("group")["split"].agg(set)
    seen = table["group"].map(splits_of)
    test, validation = table["split"] == "test", table["split"] == "val"
    return Crossing(
        groups=int((splits_of.map(len) > 1).sum()),
        test=int(seen[test].map(lambda splits: len(splits) > 1).sum()),
        test_total=int(test.sum()),
        validation=int(seen[validation].map(lambda splits: "train" in splits).sum()),
        validation_total=int(validation.sum()),
    )


def resolve_leakage(table: pd.DataFrame, data: Data) -> tuple[pd.DataFrame, Split, Crossing, list[str]]:
    """Apply `data.leakage` to a table with its published splits.

    Returns the table (some rows may be gone), the split method to use from here on, what was found, and
    warnings for every table. Raises `UserError` where something crosses and the rule is `fail`.
    """
    crossing = find_crossing(table)
    if crossing.groups == 0:
        return table, data.split, crossing, []
    if data.leakage == "fail":
        raise UserError(f"data.leakage: fail, and {crossing.sentence()}; {REMEDY}")
    if data.leakage == "report":
        return table, data.split, crossing, [f"LEAKAGE: {crossing.sentence()}"]
    if data.leakage == "regroup":
        test = crossing.test_total / len(table)
        validation = crossing.validation_total / len(table)
        if not usable_validation(table, data.split):
            validation = data.split.validation * (1 - test)
        split = data.split.model_copy(update={"method": "random", "test": test, "validation": validation})
        return table, split, crossing, [f"split anew by group, because {crossing.sentence()}"]
    kept = drop_leaking(table)
    dropped = len(table) - len(kept)
    return (
        kept,
        data.split,
        crossing,
        [f"{dropped} leaking images were left out, because {crossing.sentence()}"],
    )


def drop_leaking(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out train and validation rows whose group is in test, then train rows whose group is in validation."""
    in_test = table["group"].isin(table["group"][table["split"] == "test"])
    table = table[(table["split"] == "test") | ~in_test]
    in_validation = table["group"].isin(table["group"][table["split"] == "val"])
    return table[(table["split"] != "train") | ~in_validation].reset_index(drop=True)
