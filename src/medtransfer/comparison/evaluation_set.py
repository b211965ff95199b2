"""The test images that all variants share: their groups, their resamples, and the precision that these allow."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from medtransfer.statistics.intervals import class_freedom
from medtransfer.statistics.metrics import Average
from medtransfer.statistics.paired_tests import Differences, paired_differences
from medtransfer.statistics.resampling import Resamples, draw, leave_each_out, the_sample
from medtransfer.study import Comparison
from medtransfer.tasks.predictions import Predictions
from medtransfer.util.seeds import Key, generator

FEW_GROUPS, FEW_OF_A_CLASS = 10, 5
MOST_LEFT_OUT = 1000
"""With more groups than this, their number limits no interval, and leaving out each would take long."""


@dataclass(frozen=True)
class EvaluationSet:
    """Test images (path, group and, with exclusive classes, label), the classes, and resamples of the groups.

    members: the images of each class, [images, classes]; if omitted, those that it labels. settings: those of the
    study, with the confidence of intervals and the metrics that it asks for.
    """

    images: pd.DataFrame
    classes: tuple[str, ...]
    sample: Resamples
    resamples: Resamples
    members: np.ndarray | None = None
    settings: Comparison = field(default_factory=Comparison)

    @property
    def labels(self) -> np.ndarray:
        """The labels as class numbers: [images]."""
        return self.images["label"].to_numpy()

    @property
    def groups(self) -> int:
        """The number of groups."""
        return self.sample.groups

    @property
    def single(self) -> bool:
        """Whether every image is its own group."""
        return self.groups == len(self.images)

    @cached_property
    def without(self) -> Resamples | None:
        """The test set without each group, if groups differ in size: the errors of values are then jackknifed."""
        sizes = np.bincount(self.sample.group)
        uneven = len(np.unique(sizes)) > 1 and 1 < self.groups <= MOST_LEFT_OUT
        return leave_each_out(self.images["group"].to_numpy()) if uneven else None

    @cached_property
    def groups_of_class(self) -> np.ndarray:
        """The number of groups with images of each class: [classes]."""
        if not self.classes:
            return np.zeros(0, int)
        members = self.labels[:, None] == np.arange(len(self.classes)) if self.members is None else self.members
        return np.array([len(np.unique(self.sample.group[own])) for own in members.T])

    @cached_property
    def freedom_of_classes(self) -> float:
        """The degrees of freedom of a mean over classes; of any mean where there are none."""
        return class_freedom(self.groups_of_class, self.groups) if self.classes else self.groups - 1

    def freedom(self, average: Average | int) -> float:
        """Return the degrees of freedom of a metric's standard error by `Metric.average`."""
        if average == "images":
            return self.groups - 1.0
        if isinstance(average, int):
            return max(float(self.groups_of_class[average]) - 1, 1.0)
        return self.freedom_of_classes

    def differences(
        self, value: np.ndarray, resampled: np.ndarray, freedom: float, influence: np.ndarray | None = None
    ) -> Differences:
        """Test differences between variants on these images; see `paired_differences`."""
        return paired_differences(value, resampled, self.groups, freedom, self.settings.confidence, influence)

    @property
    def warnings(self) -> list[str]:
        """Warnings of too few groups for intervals to be reliable."""
        found = []
        if self.groups < FEW_GROUPS:
            found.append(
                f"SMALL N: {self.groups} groups of test images; with fewer than {FEW_GROUPS}, neither intervals nor "
                "differences between variants are reliable"
            )
        few = [
            f"{name} ({number})"
            for name, number in zip(self.classes, self.groups_of_class, strict=True)
            if number < FEW_OF_A_CLASS
        ]
        if few:
            found.append(
                f"SMALL N: fewer than {FEW_OF_A_CLASS} groups of test images contain {', '.join(few)}; values of these "
                "classes, and averages over classes, are less certain than their intervals say"
            )
        return found


def draw_evaluation_set(
    images: pd.DataFrame,
    classes: tuple[str, ...],
    resamples: int,
    rng: np.random.Generator,
    members: np.ndarray | None = None,
) -> EvaluationSet:
    """Draw the resamples of test images; members: see `EvaluationSet`."""
    groups = images["group"].to_numpy()
    return EvaluationSet(images, classes, the_sample(groups), draw(groups, resamples, rng), members)


def images_of(rows: Predictions, settings: Comparison, *key: Key) -> EvaluationSet:
    """Draw the resamples of the images of one role's rows, from `key`."""
    members = rows.members if rows.classes else None
    test = draw_evaluation_set(rows.images, tuple(rows.classes), settings.resamples, generator(*key), members)
    return replace(test, settings=settings)
