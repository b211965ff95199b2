"""The test images that all variants share: their groups, their resamples, and how much they can tell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from medtransfer.statistics.intervals import class_freedom
from medtransfer.statistics.resampling import Resamples, draw, the_sample

FEW_GROUPS, FEW_OF_A_CLASS = 10, 5


@dataclass(frozen=True)
class TestSet:
    """Test images (path, group, label), the classes' names, and resamples of their groups."""

    __test__ = False  # the name is not that of a test

    images: pd.DataFrame
    classes: tuple[str, ...]
    sample: Resamples
    resamples: Resamples

    @property
    def labels(self) -> np.ndarray:
        """The labels as class numbers: [images]."""
        return self.images["label"].to_numpy()

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return self.sample.groups

    @property
    def single(self) -> bool:
        """Whether every image is a group of its own."""
        return self.groups == len(self.images)

    @cached_property
    def groups_of_class(self) -> np.ndarray:
        """In how many groups each class occurs: [classes]."""
        if not self.classes:
            return np.zeros(0, int)
        pairs = pd.DataFrame({"group": self.sample.group, "label": self.labels}).drop_duplicates()
        return np.bincount(pairs["label"], minlength=len(self.classes))

    @cached_property
    def freedom_of_classes(self) -> float:
        """The degrees of freedom of a mean over classes; of any mean where there are none."""
        return class_freedom(self.groups_of_class, self.groups) if self.classes else self.groups - 1

    @property
    def warnings(self) -> list[str]:
        """Say where there are too few groups for an interval to mean much."""
        found = []
        if self.groups < FEW_GROUPS:
            found.append(
                f"SMALL N: {self.groups} groups of test images; an interval from fewer than {FEW_GROUPS} "
                "is a guess, and no difference between variants can be relied on"
            )
        few = [
            f"{name} ({number})"
            for name, number in zip(self.classes, self.groups_of_class, strict=True)
            if number < FEW_OF_A_CLASS
        ]
        if few:
            found.append(
                f"SMALL N: fewer than {FEW_OF_A_CLASS} groups of test images show {', '.join(few)}; figures of "
                "these classes, and averages over classes, are uncertain beyond what their intervals say"
            )
        return found


def draw_test_set(images: pd.DataFrame, classes: tuple[str, ...], resamples: int, rng: np.random.Generator) -> TestSet:
    """Draw resamples of test images."""
    groups = images["group"].to_numpy()
    return TestSet(images, classes, the_sample(groups), draw(groups, resamples, rng))
