"""The leakage gate: groups in more than one published split are counted, and then fail, or are handled as asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from medtransfer.data.audit.pairs import count_kinds, divided_pairs, write_pair_figure
from medtransfer.data.images.packed import Images
from medtransfer.data.split import draws_validation, require_published, usable_validation
from medtransfer.study import Data, Split
from medtransfer.util.errors import UserError
from medtransfer.util.files import shown
from medtransfer.util.text import counted

REMEDY = (
    "data.leakage: regroup draws a new split by group, drop leaves the leaking training images out, "
    "report continues and marks every table"
)


@dataclass(frozen=True)
class Crossing:
    """How many images have a sibling (same group, or a duplicate) in another split than their own.

    test: test images with a sibling in train or validation. validation: validation images with one in train.
    groups: groups in more than one split. If validation rows are drawn again, by group, train and validation count as
    one split, and there are no validation images to count.
    """

    groups: int
    test: int
    test_total: int
    validation: int
    validation_total: int

    def sentence(self) -> str:
        """Return a warning for a table."""
        text = (
            f"{counted(self.groups, 'group')} {'is' if self.groups == 1 else 'are'} in more than one split: "
            f"{self.test} of {self.test_total} test images have a copy or an image of their group in training or "
            "validation"
        )
        if self.validation_total:
            text += f", and {self.validation} of {self.validation_total} validation images have one in training"
        return text


def pass_gate(table: pd.DataFrame, pairs: pd.DataFrame, images: Images, data: Data, figure: Path) -> Crossing | None:
    """Return what crosses the published splits of a table (columns path, label, split, group, key, sha256).

    Returns None if the rows are to be split here. `pairs` are the table's sibling pairs. Raises `UserError` if
    something crosses and `data.leakage` is `fail`; then the pairs are drawn to `figure`, which must not be an
    output of a stage, because DVC removes those of a failed one. The figure of an earlier failure is removed.
    """
    figure.unlink(missing_ok=True)
    if data.split.method != "published":
        return None
    require_published(table)
    crossing = find_crossing(table, data.split)
    if crossing.groups and data.leakage == "fail":
        leaking = pairs[divided_pairs(pairs, splits_in_use(table, data.split))]
        write_pair_figure(images, table, leaking, figure)
        raise UserError(refusal(crossing, count_kinds(table, leaking), shown(figure)))
    return crossing


def refusal(crossing: Crossing, kinds: dict[str, int], figure: str) -> str:
    """Return the error line: what crosses, how many of each kind (`pairs.count_kinds`), where to look, what to do."""
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
    return f"data.leakage: fail, and {crossing.sentence()} ({counted}; side by side in {figure}); {REMEDY}"


def splits_in_use(table: pd.DataFrame, split: Split) -> pd.Series:
    """Return the published splits as far as they are kept: `train` for all rows whose role is drawn again."""
    splits: pd.Series = table["split"]
    return splits.where(splits == "test", "train") if draws_validation(table, split) else splits


def find_crossing(table: pd.DataFrame, split: Split) -> Crossing:
    """Count the groups and images that cross the splits of a published table (columns split, group)."""
    splits = splits_in_use(table, split)
    splits_of = splits.groupby(table["group"]).agg(set)
    seen = table["group"].map(splits_of)
    test, validation = splits == "test", splits == "val"
    return Crossing(
        groups=int((splits_of.map(len) > 1).sum()),
        test=int(seen[test].map(lambda splits: len(splits) > 1).sum()),
        test_total=int(test.sum()),
        validation=int(seen[validation].map(lambda splits: "train" in splits).sum()),
        validation_total=int(validation.sum()),
    )


def resolve_leakage(table: pd.DataFrame, data: Data, crossing: Crossing) -> tuple[pd.DataFrame, Split, list[str]]:
    """Apply `data.leakage`, if it is not `fail`, to a table with its published splits.

    Returns the table (some rows may be left out), the split method to use from here on, and warnings for every
    table.
    """
    if crossing.groups == 0:
        return table, data.split, []
    if data.leakage == "report":
        return table, data.split, [f"LEAKAGE: {crossing.sentence()}"]
    if data.leakage == "regroup":
        test, validation = (float((table["split"] == name).mean()) for name in ("test", "val"))
        if not usable_validation(table, data.split):
            validation = data.split.validation * (1 - test)
        split = data.split.model_copy(update={"method": "random", "test": test, "validation": validation})
        return table, split, [f"split again by group, because {crossing.sentence()}"]
    kept = drop_leaking(table, data.split)
    dropped = len(table) - len(kept)
    return kept, data.split, [f"{dropped} leaking images were left out, because {crossing.sentence()}"]


def drop_leaking(table: pd.DataFrame, split: Split) -> pd.DataFrame:
    """Leave out train and validation rows whose group is in test, then train rows whose group is in validation.

    The latter stay if validation rows are drawn again, by group, from both.
    """
    in_test = table["group"].isin(table["group"][table["split"] == "test"])
    table = table[(table["split"] == "test") | ~in_test].reset_index(drop=True)
    splits = splits_in_use(table, split)
    in_validation = table["group"].isin(table["group"][splits == "val"])
    return table[(splits != "train") | ~in_validation].reset_index(drop=True)
