"""How each variant did on each test image, and which images are worth showing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import pandas as pd

from medtransfer.report.material import Material
from medtransfer.tasks.masks.predictions import MASK, decode_mask

MOST_OF_A_PAIR, MOST_IN_POOL, MOST_MASKS_OF_A_PAIR = 10, 240, 8


@dataclass(frozen=True)
class ClassAnswers:
    """The predicted class of each test image, by mean probabilities over runs; table: `Comparison.images`."""

    table: pd.DataFrame
    names: list[str]

    @cached_property
    def predicted(self) -> pd.DataFrame:
        """The predicted classes, one row per image and one column per variant."""
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
    def correct(self) -> np.ndarray:
        """Whether the predicted class is the label: bool [images, variants]."""
        return np.asarray(self.predicted.to_numpy() == self.labels.to_numpy()[:, None])

    def hardest(self) -> np.ndarray:
        """Return the rows of images that no run of any variant gets right, the least probable label first."""
        never = np.asarray((self._wide("right").max(axis=1) == 0) & ~self.correct.any(axis=1))
        probability = self._wide("probability").mean(axis=1).to_numpy(float)
        rows = np.flatnonzero(never)
        return np.asarray(rows[np.argsort(probability[rows], kind="stable")])

    def only_correct(self) -> np.ndarray:
        """Count the images that one variant gets right and another does not: [right, wrong]."""
        correct = self.correct.astype(np.int64)
        return np.asarray(correct.T @ (1 - correct))

    def _wide(self, column: str) -> pd.DataFrame:
        chosen = self.table[self.table["variant"].isin(self.names)]
        return chosen.pivot(index="path", columns="variant", values=column)[self.names]


def distinguishing_images(correct: np.ndarray) -> list[int]:
    """Choose at most 240 images so that for each pair of variants some are correct for only one of both.

    correct: bool [images, variants]. Pairs of good variants come first; images already chosen for one pair are reused
    for others.
    """
    pool: list[int] = []
    chosen = np.zeros(len(correct), bool)
    pairs = sorted(combinations(range(correct.shape[1]), 2), key=sum)
    for better, worse in [*pairs, *((second, first) for first, second in pairs)]:
        rows = np.flatnonzero(correct[:, better] & ~correct[:, worse])
        missing = MOST_OF_A_PAIR // 2 - int(chosen[rows].sum())
        new = rows[~chosen[rows]][: max(missing, 0)]
        chosen[new] = True
        pool += new.tolist()
        if len(pool) >= MOST_IN_POOL:
            break
    return pool[:MOST_IN_POOL]


@dataclass(frozen=True)
class MaskAnswers:
    """How well each variant segments each test image; table: `Comparison.masks`."""

    table: pd.DataFrame
    names: list[str]

    @cached_property
    def dice(self) -> pd.DataFrame:
        """Dice, mean over runs: one row per image with a true or predicted mask, one column per variant."""
        masked = self.table[(self.table["truth_pixels"] > 0) | (self.table["found_pixels"] > 0)]
        wide = masked.pivot(index="path", columns="variant", values="dice")
        return wide.reindex(columns=self.names).dropna(how="all")

    def hardest(self, most: int) -> list[str]:
        """Return the images with the lowest best Dice of all variants."""
        return list(self.dice.max(axis=1).sort_values(kind="stable").index[:most])

    def distinguishing(self, most: int) -> list[str]:
        """Choose at most `most` images so that for each pair of variants those with the largest differences are in.

        Pairs of good variants come first, with images that favour either.
        """
        dice, pool = self.dice.fillna(0.0), dict[str, None]()
        for a, b in sorted(combinations(range(len(self.names)), 2), key=sum):
            gaps = (dice.iloc[:, a] - dice.iloc[:, b]).sort_values(kind="stable").index
            half = MOST_MASKS_OF_A_PAIR // 2
            pool |= dict.fromkeys([*gaps[:half], *gaps[::-1][:half]])
        return list(pool)[:most]


def masks_of_first_run(material: Material, name: str, paths: list[str]) -> dict[str, np.ndarray]:
    """Return the masks that a variant's first run predicts for some images, by their paths."""
    columns = ["path", "role", "fold", "seed", MASK]
    table = pd.read_parquet(material.places.predictions(name), columns=columns, filters=[("path", "in", paths)])
    first = table[table["role"] == "test"].sort_values(["fold", "seed"], kind="stable").drop_duplicates("path")
    return {row["path"]: decode_mask(row[MASK]) for row in first.to_dict("records")}
