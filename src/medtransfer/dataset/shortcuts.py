"""Shortcuts: what size, mode, file type and brightness alone tell of an image's class, or of its split.

A small tree that sees nothing else is asked to tell them apart in cross-validation, as in a classifier
two-sample test (Lopez-Paz and Oquab 2017, "Revisiting Classifier Two-Sample Tests"). Where it can, a network
can too, without learning anything about the disease, and scores that no other hospital's images will bear out
(Geirhos et al. 2020, "Shortcut learning in deep neural networks").
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.dataset.appearance import file_types
from medtransfer.markdown import in_figures
from medtransfer.seeding import generator, seed_from

FOLDS, DEPTH, LEAF = 5, 3, 5
LEAST_GROUPS = 20
"""Classes of fewer groups are left out: two of ten groups each would be told apart by chance, so well that it is
called strong, in one set of fifty; two of twenty in one of three hundred."""

RESAMPLES, CONFIDENCE = 2000, 0.95
STRONG = 0.2
"""Of the way from chance to certainty. Agreement up to a kappa of .2 is slight, above it fair (Landis and Koch
1977); the balanced accuracy so scaled is kappa where classes are equally frequent."""

ALL = "all"
MEASURES = {"size": ["width", "height"], "mode": ["mode"], "file type": ["file_type"], "brightness": ["brightness"]}
TOLD = "image size, mode, file type and brightness"


@dataclass(frozen=True)
class Score:
    """A balanced accuracy in cross-validation with its 95 % interval."""

    balanced_accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class Shortcut:
    """How well the measures tell a target: all together, and each alone as far as it differs between images.

    target: what is told, `class` or `test`. groups: how many groups of images were asked about. chance: the
    balanced accuracy of guessing.
    """

    target: str
    groups: int
    chance: float
    scores: dict[str, Score]

    @property
    def strong(self) -> bool:
        """Say whether even the lower limit stands for more than slight agreement."""
        return (self.scores[ALL].low - self.chance) / (1 - self.chance) > STRONG

    def warning(self) -> str:
        """Say in one line what the measures tell, how well, and which tells most."""
        found, (name, best) = self.scores[ALL], self.best()
        what, meaning = {
            "class": ("SHORTCUT: {} alone tell the class", "a model can score so without seeing what the images show"),
            "test": ("SHIFT: {} alone tell test images from the others", "they are not of one kind"),
        }[self.target]
        return (
            f"{what.format(TOLD)} in a balanced accuracy of {in_figures(found.balanced_accuracy)} "
            f"[{in_figures(found.low)}, {in_figures(found.high)}], where guessing has {in_figures(self.chance)} "
            f"({name} by itself {in_figures(best.balanced_accuracy)}): {meaning}"
        )

    def best(self) -> tuple[str, Score]:
        """Give the single measure that tells most."""
        alone = {name: score for name, score in self.scores.items() if name != ALL}
        return max(alone.items(), key=lambda item: item[1].balanced_accuracy)

    def as_json(self) -> dict[str, Any]:
        """Give it as it stands in the audit."""
        scores = {name: asdict(score) for name, score in self.scores.items()}
        return {"groups": self.groups, "chance": self.chance, "strong": self.strong, "scores": scores}


def find_shortcut(table: pd.DataFrame, target: str, labels: pd.Series, seed: int) -> Shortcut | None:
    """Ask how well the measures tell `labels`, a value a row, by one image of each group.

    The table has path, group, width, height, mode and brightness. One image a group is drawn, because images of
    a group resemble one another and would tell each other's labels. Labels of fewer than 20 groups are left out;
    None where less than two are left, or where all images measure the same.
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
    scores = {name: _score(drawn[of], drawn["label"].to_numpy(str), seed) for name, of in columns.items()}
    return Shortcut(target, len(drawn), 1 / drawn["label"].nunique(), scores)


def _score(measures: pd.DataFrame, labels: np.ndarray, seed: int) -> Score:
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(
        max_depth=DEPTH, min_samples_leaf=LEAF, class_weight="balanced", random_state=seed_from("tree", seed) % 2**32
    )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed_from("folds", seed) % 2**32)
    predicted = cross_val_predict(tree, pd.get_dummies(measures).to_numpy(float), labels, cv=folds)
    hits = pd.Series(predicted == labels).groupby(labels).agg(["sum", "count"])
    recall = (hits["sum"] / hits["count"]).to_numpy()
    # a bootstrap of the groups of each class: drawing them with replacement makes its hits binomial
    drawn = (
        generator("interval", seed).binomial(hits["count"], recall, (RESAMPLES, len(hits))) / hits["count"].to_numpy()
    )
    low, high = np.quantile(drawn.mean(axis=1), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Score(float(recall.mean()), float(low), float(high))
