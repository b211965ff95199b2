"""Predicted class probabilities of images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from medtransfer.statistics.class_counts import count_classes
from medtransfer.statistics.metrics import Outcomes
from medtransfer.statistics.resampling import Resamples, the_sample
from medtransfer.study.schema import Comparison
from medtransfer.tasks.classes.metrics import ClassOutcomes
from medtransfer.tasks.predictions import Predictions
from medtransfer.util.errors import UserError

PREFIX = "p_"


@dataclass(frozen=True, eq=False)
class ClassPredictions(Predictions):
    """See `Predictions`; the columns of the task are label (class number) and, for each class, a float32 `p_CLASS`.

    costs: those of `comparison.costs`, if a study gives any.
    """

    costs: dict[str, dict[str, float]] | None = None

    task: ClassVar[str] = "classification"
    image_columns: ClassVar[tuple[str, ...]] = ("path", "group", "label")

    @property
    def averaged(self) -> list[str]:
        """The probabilities."""
        return self._columns

    @property
    def classes(self) -> list[str]:
        """The names of the classes, by number."""
        return [name.removeprefix(PREFIX) for name in self._columns]

    def for_comparison(self, settings: Comparison) -> Self:
        """Add the costs of errors."""
        return replace(self, costs=settings.costs)

    def make_outcomes(self, weights: Resamples) -> list[Outcomes]:
        """Return the labels and probabilities of each replicate."""
        labels, costs = self.images["label"].to_numpy(), cost_matrix(self.costs, self.classes)
        return [ClassOutcomes(weights, labels, probabilities, costs) for probabilities in self.replicates]

    def runs(self) -> dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]:
        """Return labels [n] and probabilities [n, classes] by (fold, seed), in the order of the rows."""
        return {
            run: (found.table["label"].to_numpy(), found.table[self._columns].to_numpy(np.float32))
            for run, found in self.by_run().items()
        }

    def with_probabilities(self, by_run: dict[tuple[int, int], np.ndarray]) -> Self:
        """Replace the probabilities of each (fold, seed) by others, [n, classes]."""
        table = self.table.copy()
        for (fold, seed), probabilities in by_run.items():
            chosen = (table["fold"] == fold) & (table["seed"] == seed)
            table.loc[chosen, self._columns] = probabilities.astype(np.float32)
        return replace(self, table=table)

    def summary(self) -> dict[str, Any]:
        """Add the metrics of each class and the confusion matrix [label][prediction], over all runs, to the summary."""
        labels, probabilities = (np.concatenate(parts) for parts in zip(*self.runs().values(), strict=True))
        predicted, number = probabilities.argmax(axis=1), len(self.classes)
        counts = count_classes(labels, predicted, number, the_sample(np.arange(len(labels))))
        values = (counts.precision[0], counts.recall[0], counts.f1[0], counts.labelled[0])
        matrix = np.bincount(labels * number + predicted, minlength=number**2).reshape(number, number)
        return super().summary() | {
            "classes": {
                name: {
                    value: float(of[position])
                    for value, of in zip(("precision", "recall", "f1", "labels"), values, strict=True)
                }
                for position, name in enumerate(self.classes)
            },
            "confusion": matrix.tolist(),
            "test_images": len(self.images),
        }

    @cached_property
    def replicates(self) -> np.ndarray:
        """Probabilities, float32 [replicates, images, classes], in the order of `images`; see `replicated`."""
        return self.replicated(self._columns).astype(np.float32)

    @property
    def _columns(self) -> list[str]:
        return [name for name in self.table.columns if name.startswith(PREFIX)]


def cost_matrix(costs: dict[str, dict[str, float]] | None, classes: list[str]) -> np.ndarray | None:
    """Return the costs [label, prediction] of a study, 0 for a right prediction; None if it gives none.

    Raises `UserError` if they are not those of the classes.
    """
    if costs is None:
        return None
    if wrong := sorted(costs.keys() ^ set(classes)):
        what = "has no class" if wrong[0] in costs else "lacks the class"
        raise UserError(f"comparison.costs {what} {wrong[0]!r}; expected one line for each of {', '.join(classes)}")
    return np.array([[costs[label].get(predicted, 0.0) for predicted in classes] for label in classes])


def class_columns(labels: np.ndarray, probabilities: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """Make the columns of the task from class numbers [n] and probabilities [n, classes]."""
    scores = pd.DataFrame(probabilities.astype(np.float32), columns=[f"{PREFIX}{name}" for name in classes])
    scores.insert(0, "label", labels)
    return scores
