"""The test images that say most: those that every variant gets wrong, and those that some get right."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.data.prepared import Prepared
from medtransfer.report.section import Material, Section
from medtransfer.report.thumbnails import Thumbnails

MOST_WRONG, MOST_OF_A_PAIR, MOST_IN_POOL = 40, 10, 240


@dataclass(frozen=True)
class Answers:
    """What the variants said of each test image, by their mean probabilities over runs; table: `Comparison.images`."""

    table: pd.DataFrame
    names: list[str]

    @cached_property
    def right(self) -> np.ndarray:
        """Whether the predicted class is the label: bool [images, variants]."""
        return np.asarray(self.predicted.to_numpy() == self.labels.to_numpy()[:, None])

    @cached_property
    def never_right(self) -> np.ndarray:
        """Whether no run of any variant is right: bool [images]."""
        return np.asarray((self._wide("right").max(axis=1) == 0) & ~self.right.any(axis=1))

    @cached_property
    def predicted(self) -> pd.DataFrame:
        """The predicted class, a row an image and a column a variant."""
        return self._wide("predicted")

    @cached_property
    def labels(self) -> pd.Series:
        """The label of each image, by its path."""
        return self.table.drop_duplicates("path").set_index("path")["label"].reindex(self.paths)

    @cached_property
    def paths(self) -> list[str]:
        """The images, in the order of the rows."""
        return list(self.predicted.index)

    @cached_property
    def doubt(self) -> np.ndarray:
        """The probability of the label, mean over the variants: [images]."""
        return np.asarray(self._wide("probability").mean(axis=1).to_numpy(float))

    def only_right(self) -> np.ndarray:
        """Count the images that a variant gets right and another one does not: [right, wrong]."""
        right = self.right.astype(np.int64)
        return np.asarray(right.T @ (1 - right))

    def _wide(self, column: str) -> pd.DataFrame:
        chosen = self.table[self.table["variant"].isin(self.names)]
        return chosen.pivot(index="path", columns="variant", values=column)[self.names]


def wrong_section(material: Material) -> Section | None:
    """Show the images that no run of any variant gets right, the most misleading ones first."""
    found = material.found
    if found.images.empty or not found.classes:
        return None
    answers = Answers(found.images, material.names)
    wrong = np.flatnonzero(answers.never_right)
    hardest = wrong[np.argsort(answers.doubt[wrong], kind="stable")]
    thumbnails = Thumbnails(Prepared(material.places.prepared))
    shown = [_wrong(answers, int(row), thumbnails) for row in hardest[:MOST_WRONG]]
    content = {
        "images": [image for image in shown if image["thumbnail"]],
        "wrong": len(wrong),
        "all": len(answers.paths),
        "by_class": _by_class(answers, wrong, found.classes),
        "variants": len(material.names),
    }
    return Section("wrong", "Images that every variant gets wrong", content)


def image_choice(material: Material, names: list[str]) -> dict[str, Any]:
    """Give the page's script the images on which two variants differ: counts of all, thumbnails of some."""
    found = material.found
    if found.images.empty or not found.classes:
        return {"images": []}
    answers = Answers(found.images, names)
    thumbnails = Thumbnails(Prepared(material.places.prepared))
    number = {name: place for place, name in enumerate(found.classes)}
    images = [
        {
            "thumbnail": thumbnails.of(answers.paths[row]),
            "path": answers.paths[row],
            "label": number[answers.labels.iloc[row]],
            "predicted": [number[name] for name in answers.predicted.iloc[row]],
        }
        for row in telling_images(answers.right)
    ]
    return {
        "images": [image for image in images if image["thumbnail"]],
        "classes": list(found.classes),
        "onlyRight": answers.only_right().tolist(),
        "mostShown": MOST_OF_A_PAIR,
    }


def telling_images(right: np.ndarray) -> list[int]:
    """Choose at most 240 images so that each pair of variants has some that only one of both gets right.

    right: bool [images, variants]. Pairs of good variants are served first, and images that already
    serve another pair are taken again.
    """
    pool: list[int] = []
    chosen = np.zeros(len(right), bool)
    pairs = sorted(combinations(range(right.shape[1]), 2), key=sum)
    for better, worse in [*pairs, *((second, first) for first, second in pairs)]:
        rows = np.flatnonzero(right[:, better] & ~right[:, worse])
        missing = MOST_OF_A_PAIR // 2 - int(chosen[rows].sum())
        new = rows[~chosen[rows]][: max(missing, 0)]
        chosen[new] = True
        pool += new.tolist()
        if len(pool) >= MOST_IN_POOL:
            break
    return pool[:MOST_IN_POOL]


def _wrong(answers: Answers, row: int, thumbnails: Thumbnails) -> dict[str, Any]:
    votes = answers.predicted.iloc[row].value_counts()
    return {
        "path": answers.paths[row],
        "label": answers.labels.iloc[row],
        "said": votes.index[0],
        "votes": int(votes.iloc[0]),
        "thumbnail": thumbnails.of(answers.paths[row]),
    }


def _by_class(answers: Answers, wrong: np.ndarray, classes: tuple[str, ...]) -> list[tuple[str, int, int]]:
    labels = answers.labels
    missed = labels.iloc[wrong].value_counts()
    total = labels.value_counts()
    return [(name, int(missed.get(name, 0)), int(total.get(name, 0))) for name in classes]
