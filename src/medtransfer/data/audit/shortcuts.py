"""Shortcuts: what size, mode, file type and brightness of images alone reveal of their class, or of their split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.util.seeds import generator, seed_from
from medtransfer.util.text import in_figures

SAME_TYPE = {"jpeg": "jpg", "jpe": "jpg", "tiff": "tif"}
FOLDS, DEPTH, LEAF = 5, 3, 5
LEAST_GROUPS = 20
"""Classes of fewer groups are left out: by chance alone, two classes of ten groups each would be told apart so well
that it counts as strong in one set of fifty; two of twenty groups in one of three hundred."""

RESAMPLES, CONFIDENCE = 2000, 0.95
STRONG = 0.2
"""Share of the way from chance to certainty. Agreement up to a kappa of .2 is slight, above it fair (Landis and Koch
1977); the balanced accuracy so scaled is kappa if classes are equally frequent."""

ALL = "all"
MEASURES = {"size": ["width", "height"], "mode": ["mode"], "file type": ["file_type"], "brightness": ["brightness"]}


def file_types(paths: Sequence[str]) -> list[str]:
    """Return the type of each file by its suffix, one name per type; `none` without a suffix."""
    suffixes = [PurePosixPath(path).suffix.lower().removeprefix(".") or "none" for path in paths]
    return [SAME_TYPE.get(suffix, suffix) for suffix in suffixes]


def appearance_by(table: pd.DataFrame, column: str) -> dict[str, dict[str, Any]]:
    """Summarise the appearance of the rows of each value of `column`.

    The table has path, width and height (pixels), mode and brightness (0 to 255). Returns for each value the
    number of images; the least, the median and the greatest width, height and brightness; and how many images
    have each mode and each file type.
    """
    typed = table.assign(file_type=file_types(list(table["path"])))
    return {str(value): _appearance(rows) for value, rows in typed.groupby(column)}


def _appearance(rows: pd.DataFrame) -> dict[str, Any]:
    ranges = {
        name: [round(float(value), 1) for value in (rows[name].min(), rows[name].median(), rows[name].max())]
        for name in ("width", "height", "brightness")
    }
    counts = {
        name: {str(value): int(count) for value, count in rows[column].value_counts().sort_index().items()}
        for name, column in (("modes", "mode"), ("file_types", "file_type"))
    }
    return {"images": len(rows)} | ranges | counts


@dataclass(frozen=True)
class BalancedAccuracy:
    """A balanced accuracy in cross-validation with its 95 % interval."""

    balanced_accuracy: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{in_figures(self.balanced_accuracy)} [{in_figures(self.low)}, {in_figures(self.high)}]"


@dataclass(frozen=True)
class Shortcut:
    """How well the measures predict a target: all together, and each alone if it differs between images.

    target: `class` or `test`. groups: the number of groups of images. chance: the balanced accuracy of guessing.
    """

    target: str
    groups: int
    chance: float
    scores: dict[str, BalancedAccuracy]

    @property
    def strong(self) -> bool:
        """Whether even the lower limit is more than slight agreement."""
        return (self.scores[ALL].low - self.chance) / (1 - self.chance) > STRONG

    def warning(self) -> str:
        """Return one line: what the measures predict, how well, and which predicts best."""
        alone = {name: score for name, score in self.scores.items() if name != ALL}
        best = max(alone, key=lambda name: alone[name].balanced_accuracy)
        finding, meaning = {
            "class": (
                "SHORTCUT: {} alone predict the class",
                "a model can score this well without looking at their content",
            ),
            "test": ("SHIFT: {} alone distinguish test images from the others", "they differ systematically"),
        }[self.target]
        return (
            f"{finding.format('image size, mode, file type and brightness')} with a balanced accuracy of "
            f"{self.scores[ALL]}, where chance is {in_figures(self.chance)} "
            f"({best} alone {in_figures(alone[best].balanced_accuracy)}): {meaning}"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the entry of the audit."""
        scores = {name: asdict(score) for name, score in self.scores.items()}
        return {"groups": self.groups, "chance": self.chance, "strong": self.strong, "scores": scores}


def find_shortcut(table: pd.DataFrame, target: str, labels: pd.Series, seed: int) -> Shortcut | None:
    """Measure how well the measures predict `labels`, one value per row, on one image of each group.

    The table has path, group, width, height, mode and brightness. One image per group is drawn, because images of
    a group resemble one another and would reveal each other's labels. Labels of fewer than 20 groups are left out.
    Returns None if fewer than two are left, or if all images have the same measures.
    """
    order = generator("shortcut", target, seed).permutation(len(table))
    drawn = table.assign(label=labels.astype(str), file_type=file_types(list(table["path"])))
    drawn = drawn.sort_values("path").iloc[order].drop_duplicates("group")
    drawn = drawn[drawn["label"].map(drawn["label"].value_counts()) >= LEAST_GROUPS]
    columns = {name: [column for column in of if drawn[column].nunique() > 1] for name, of in MEASURES.items()}
    columns = {name: of for name, of in columns.items() if of}
    if drawn["label"].nunique() < 2 or not columns:
        return None
    columns = {ALL: [column for of in columns.values() for column in of]} | columns
    scores = {name: _cross_validated(drawn[of], drawn["label"].to_numpy(str), seed) for name, of in columns.items()}
    return Shortcut(target, len(drawn), 1 / drawn["label"].nunique(), scores)


def _cross_validated(measures: pd.DataFrame, labels: np.ndarray, seed: int) -> BalancedAccuracy:
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(
        max_depth=DEPTH, min_samples_leaf=LEAF, class_weight="balanced", random_state=seed_from("tree", seed) % 2**32
    )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed_from("folds", seed) % 2**32)
    predicted = cross_val_predict(tree, pd.get_dummies(measures).to_numpy(float), labels, cv=folds)
    hits = pd.Series(predicted == labels).groupby(labels).agg(["sum", "count"])
    count, recall = hits["count"].to_numpy(), (hits["sum"] / hits["count"]).to_numpy()
    # A bootstrap of the groups of each class: drawing them with replacement makes its hits binomial.
    drawn = generator("interval", seed).binomial(count, recall, (RESAMPLES, len(hits))) / count
    low, high = np.quantile(drawn.mean(axis=1), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return BalancedAccuracy(float(recall.mean()), float(low), float(high))
