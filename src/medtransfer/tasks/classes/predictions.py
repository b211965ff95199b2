"""Predicted class probabilities of images."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.statistics.class_counts import count_classes
from medtransfer.statistics.metrics import Outcomes
from medtransfer.statistics.resampling import Resamples, the_sample
from medtransfer.tasks.classes.metrics import ClassOutcomes
from medtransfer.tasks.predictions import Predictions

PREFIX = "p_"


class ClassPredictions(Predictions):
    """See `Predictions`; the columns of the task are label (class number) and, for each class, a float32 `p_CLASS`."""

    task = "classification"
    image_columns = ("path", "group", "label")

    @property
    def classes(self) -> list[str]:
        """The names of the classes, by number."""
        return [name.removeprefix(PREFIX) for name in self._columns]

    def make_outcomes(self, weights: Resamples) -> list[Outcomes]:
        """Return the labels and probabilities of each replicate."""
        labels = self.images["label"].to_numpy()
        return [ClassOutcomes(weights, labels, probabilities) for probabilities in self.replicates]

    def runs(self) -> dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]:
        """Return labels [n] and probabilities [n, classes] by (fold, seed), in the order of the rows."""
        return {
            run: (found.table["label"].to_numpy(), found.table[self._columns].to_numpy(np.float32))
            for run, found in self.by_run().items()
        }

    def with_probabilities(self, by_run: dict[tuple[int, int], np.ndarray]) -> ClassPredictions:
        """Replace the probabilities of each (fold, seed) by others, [n, classes]."""
        table = self.table.copy()
        for (fold, seed), probabilities in by_run.items():
            chosen = (table["fold"] == fold) & (table["seed"] == seed)
            table.loc[chosen, self._columns] = probabilities.astype(np.float32)
        return ClassPredictions(table)

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


def predictions_frame(
    images: pd.DataFrame, probabilities: np.ndarray, classes: list[str], fold: int, seed: int, role: str
) -> pd.DataFrame:
    """Make the rows of one run and role from rows of the prepared table and probabilities [n, classes]."""
    frame = images[["path", "group"]].reset_index(drop=True)
    frame = frame.assign(fold=fold, seed=seed, role=role, label=images["label_index"].to_numpy())
    scores = pd.DataFrame(probabilities.astype(np.float32), columns=[f"{PREFIX}{name}" for name in classes])
    return pd.concat([frame, scores], axis=1)
