"""The interface of a target: all that the preparation of a set asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from medtransfer.data.labels import rename_labels
from medtransfer.data.layouts import Reading
from medtransfer.study import Data, Labels

MOST_SHOWN = 4
STRATA, COUNTED = "strata", "counted"
"""The columns, within the preparation, of `Encoded.strata` and `Encoded.counted`."""


def counts_of(table: pd.DataFrame) -> pd.Series:
    """Count images by COUNTED or, without this column, by label; an image may count for several names."""
    names = table[COUNTED].explode() if COUNTED in table else table["label"]
    return names.value_counts().sort_index()


@dataclass(frozen=True)
class Encoded:
    """The labels of images as a task learns them.

    labels: how each image's label is displayed, [images]. strata: for each image the names by which splits are
    stratified, one or several. classes: the names of exclusive classes in order; then labels are among them, and the
    images' targets are one-hot. Otherwise names: those of the outputs, and values: float32 [images, names], nan where a
    value is unknown. counted: for each image the names by which images are counted for people; if omitted, its label.
    """

    labels: pd.Series
    strata: pd.Series
    counted: pd.Series | None = None
    classes: Sequence[str] = ()
    names: Sequence[str] = ()
    values: np.ndarray | None = None


class Target:
    """What is to be predicted of images.

    per_pixel: whether it is a class for each pixel: images then need masks, not labels. noun: what the values of images
    are called in messages. listed_as: what displayed labels are called where they are counted.
    ordered: whether classes are sorted from the lowest to the highest.
    """

    per_pixel = False
    noun = "labels"
    listed_as = "classes"
    settings: frozenset[str] = frozenset()
    """The fields of `data.labels` that only some targets understand, of which this is one."""
    properties: frozenset[str] = frozenset()
    """Which of `data.order` and `data.unit` it has."""
    ordered = False

    def readings(self, base: Path, files: Sequence[PurePosixPath]) -> list[Reading] | None:
        """Return the readings that `data.layout: auto` offers for this target; None to detect a layout of classes."""
        return None

    def described(self, labels: pd.Series) -> str:
        """Return what the labels of a reading are, in a few words for an error line."""
        counts = self.names(labels).explode().value_counts().sort_index()
        names = ", ".join(f"{name} {count}" for name, count in counts[:MOST_SHOWN].items())
        return f"{self.listed_as} {names}{', …' if len(counts) > MOST_SHOWN else ''}"

    def may_be_split(self, labels: pd.Series) -> bool:
        """Return whether labels that a reading gives, [images], are frequent enough to be offered as a choice."""
        return True

    def answers(self, labels: pd.Series) -> pd.Series:
        """Return what copies of one image must agree on."""
        return labels

    def joined(self, labels: Sequence[str]) -> str | None:
        """Return the label of an image whose rows in a table have different labels; None if that is an error."""
        return None

    def marked(self, marks: pd.DataFrame) -> tuple[pd.Series, list[str]] | None:
        """Return the labels of rows of marks, one column for each class, and their problems; None for one-hot rows.

        marks: the cells, as text.
        """
        return None

    def renamed(self, table: pd.DataFrame, labels: Labels) -> tuple[pd.DataFrame, list[str], list[str]]:
        """Apply `data.labels` to the labels of a table as read; see `rename_labels`."""
        return rename_labels(table, labels)

    def names(self, labels: pd.Series) -> pd.Series:
        """Return for each label as displayed the names by which images are counted, a tuple."""
        return labels.map(lambda label: (label,))

    def remark(self, labels: pd.Series) -> str | None:
        """Return what a user should know of the labels of a set as read."""
        return None

    def problems(self, table: pd.DataFrame, labels: Labels) -> list[str]:
        """Return what is wrong with the columns label and split of a set as read."""
        return []

    def encode(self, labels: pd.Series, data: Data) -> Encoded:
        """Encode labels, [images], of the whole set. Raises `UserError` if some cannot be."""
        raise NotImplementedError

    def published_problems(self, table: pd.DataFrame, labels: Labels) -> list[str]:
        """Return what is wrong with the published split of a table with label and split."""
        return []

    def split_problems(self, table: pd.DataFrame, whole: pd.DataFrame) -> list[str]:
        """Return what is wrong with the final split of a table; `whole` has all rows that could have been used."""
        return []
