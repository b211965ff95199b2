"""One of several exclusive classes for each image."""

from __future__ import annotations

import pandas as pd

from medtransfer.data.labels import in_one_split, label_problems
from medtransfer.data.targets import TARGETS, Encoded, Target
from medtransfer.study import Data, Labels
from medtransfer.util.errors import UserError

SPLITS, FEW = 3, 5


class Classes(Target):
    """See `Target`."""

    properties = frozenset(("order",))

    def problems(self, table: pd.DataFrame, labels: Labels) -> list[str]:
        """Return labels that are missing or may be one class under two names; and refuse fewer than two classes."""
        found = label_problems(table, labels)
        if not found and table["label"].nunique() < 2:
            names = table["label"].unique()
            found = [f"expected two or more classes, but got {f'only {names[0]!r}' if len(names) else 'none'}"]
        return found

    def remark(self, labels: pd.Series) -> str | None:
        """Return a remark on classes that are numbers: they may be grades."""
        numbers = pd.to_numeric(pd.Series(labels.unique()), errors="coerce")
        if len(numbers) < 3 or numbers.isna().any():
            return None
        return (
            f"the classes are numbers from {numbers.min():g} to {numbers.max():g}; if they are grades, their order is "
            "not used: each is a class of its own; study.task: ordinal uses it"
        )

    def may_be_split(self, labels: pd.Series) -> bool:
        """Return whether there are few classes, or most of them, unlike most patients, have an image for each split."""
        counts = labels.value_counts()
        return len(counts) <= FEW or bool((counts >= SPLITS).mean() > 1 / 2)

    def encode(self, labels: pd.Series, data: Data) -> Encoded:
        """Return the labels themselves."""
        return Encoded(labels, labels.map(lambda label: (label,)), classes=self.classes(labels, data))

    def classes(self, labels: pd.Series, data: Data) -> list[str]:
        """Return the classes as `data.order` lists them, or else in alphabetical order, but the positive one last."""
        classes, positive = sorted(labels.unique()), data.labels.positive
        if data.order is not None:
            if wrong := sorted(set(data.order) ^ set(classes)):
                what = "no image is of" if wrong[0] in data.order else "it lacks"
                raise UserError(f"data.order: {what} the class {wrong[0]!r}; found {', '.join(classes)}")
            return data.order
        if positive is None:
            return classes
        if len(classes) != 2 or positive not in classes:
            raise UserError(f"data.labels.positive: {positive!r} is not one of two classes; found {', '.join(classes)}")
        return sorted(classes, key=positive.__eq__)

    def published_problems(self, table: pd.DataFrame, labels: Labels) -> list[str]:
        """Return classes that are in one published split only."""
        return in_one_split(table, labels)

    def split_problems(self, table: pd.DataFrame, whole: pd.DataFrame) -> list[str]:
        """Return classes without training images, or the one class of all test images."""
        labels = set(whole["label"])
        unlearned = labels - set(table["label"][table["split"].isin(("train", "rotating"))])
        if unlearned:
            return [f"data.split: class {label!r} has no training image" for label in sorted(unlearned)]
        tested = table["label"][table["split"].isin(("test", "rotating"))]
        if len(labels) > 1 and tested.nunique() == 1:
            return [
                f"data.split: all {len(tested)} test images are of class {tested.iloc[0]!r}, so no classes can be told "
                "apart; use random or kfold"
            ]
        return []


TARGETS.register("classes", Classes())
