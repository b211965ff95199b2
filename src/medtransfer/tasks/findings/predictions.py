"""Predicted probabilities of findings, with what is known of each image."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from medtransfer.statistics.metrics import Outcomes
from medtransfer.statistics.resampling import Resamples, the_sample
from medtransfer.tasks.findings.metrics import FindingOutcomes
from medtransfer.tasks.predictions import RUN, Predictions, defined

PREFIX, TRUTH, CALLED = "p_", "truth_", "called_"
HALF = 0.5

Thresholds = dict[tuple[int, int], np.ndarray]
"""The threshold of each finding by (fold, seed)."""


@dataclass(frozen=True, eq=False)
class FindingPredictions(Predictions):
    """See `Predictions`; the columns of the task are, for each finding, the float32 `truth_NAME` and `p_NAME`.

    A truth is 1 or 0, nan if it is not known. chosen: the thresholds; if empty, they are chosen on validation rows.
    """

    chosen: Thresholds = field(default_factory=dict)

    task: ClassVar[str] = "multilabel"

    @property
    def averaged(self) -> list[str]:
        """The probabilities."""
        return self._columns(PREFIX)

    @property
    def classes(self) -> list[str]:
        """The names of the findings."""
        return [name.removeprefix(PREFIX) for name in self.table.columns if name.startswith(PREFIX)]

    @cached_property
    def images(self) -> pd.DataFrame:
        """The path, group and truth of each image, sorted by path."""
        columns = ["path", "group", *self._columns(TRUTH)]
        return self.table[columns].drop_duplicates("path").sort_values("path", ignore_index=True)

    @property
    def truth(self) -> np.ndarray:
        """What is known of the images, float32 [images, findings]."""
        return self.images[self._columns(TRUTH)].to_numpy(np.float32)

    @property
    def members(self) -> np.ndarray:
        """The images that limit what can be known of each finding: those with it or, if fewer, those without."""
        truth = self.truth
        present, absent = truth == 1, truth == 0
        return np.where(present.sum(axis=0) <= absent.sum(axis=0), present, absent)

    def of_mean(self, table: pd.DataFrame) -> Self:
        """Choose the thresholds of the means on their validation rows."""
        return replace(self, table=table, chosen={})

    @cached_property
    def thresholds(self) -> Thresholds:
        """The threshold of each finding in each run; 0.5 where its validation rows do not choose one."""
        truth, scores = self._columns(TRUTH), self._columns(PREFIX)
        return self.chosen or {
            run: best_thresholds(*(found.table[names].to_numpy(np.float32) for names in (truth, scores)))
            for run, found in super().of_role("validation").by_run().items()
        }

    def of_role(self, role: str) -> Self:
        """Keep the rows of one role, and the thresholds."""
        kept = super().of_role(role)
        return replace(kept, chosen=self.chosen or (self.thresholds if role == "test" else {}))

    def make_outcomes(self, weights: Resamples) -> list[Outcomes]:
        """Return the truth, probabilities and calls of each replicate."""
        runs = zip(*(self.table[name] for name in RUN), strict=True)
        levels = np.array([self.thresholds.get(run, np.full(len(self.classes), HALF)) for run in runs])
        reached = self.table[self._columns(PREFIX)].to_numpy(np.float32) >= levels.astype(np.float32)
        calls = dict(zip(self._columns(CALLED), reached.T, strict=True))
        called = replace(self, table=self.table.assign(**calls)).replicated(self._columns(CALLED))
        return [
            FindingOutcomes(weights, self.truth, probabilities, calls.astype(bool))
            for probabilities, calls in zip(self.replicates, called, strict=True)
        ]

    @cached_property
    def replicates(self) -> np.ndarray:
        """Probabilities, float32 [replicates, images, findings], in the order of `images`; see `replicated`."""
        return self.replicated(self._columns(PREFIX)).astype(np.float32)

    def summary(self) -> dict[str, Any]:
        """Add the areas and F1 of each finding, mean over replicates, to the summary."""
        runs = self.outcomes(the_sample(np.arange(len(self.images))))
        names = ("roc_auc", "pr_auc", "f1")
        values = {name: [] for name in names}  # type: dict[str, list[list[float]]]
        for run in runs:
            values["roc_auc"].append([float(of.roc[0]) for of in run.by_finding])
            values["pr_auc"].append([float(of.precision_recall[0]) for of in run.by_finding])
            values["f1"].append(list(map(float, run.counts.f1[0])))
        means = {name: np.mean(of, axis=0) for name, of in values.items()}
        present = (self.truth == 1).sum(axis=0)
        return super().summary() | {
            "classes": {
                finding: {name: defined(means[name][place]) for name in names} | {"images": int(present[place])}
                for place, finding in enumerate(self.classes)
            },
            "test_images": len(self.images),
        }

    def _columns(self, start: str) -> list[str]:
        return [f"{start}{name}" for name in self.classes]


def best_thresholds(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the threshold of each finding with the best F1, the highest of equals; 0.5 where none is present.

    truth, probabilities: [images, findings]; unknown truths, nan, are left out.
    """
    found = np.full(truth.shape[1], HALF, np.float32)
    for number in range(truth.shape[1]):
        known = np.isfinite(truth[:, number])
        present, scores = truth[known, number] == 1, probabilities[known, number]
        if not present.any():
            continue
        order = np.argsort(-scores, kind="stable")
        ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))
        right = np.cumsum(present[order])[ends]
        found[number] = scores[order][ends][np.argmax(2 * right / (ends + 1 + present.sum()))]
    return found


def finding_columns(truth: np.ndarray, probabilities: np.ndarray, findings: list[str]) -> pd.DataFrame:
    """Make the columns of the task from truth and probabilities, both [n, findings]."""
    parts = [
        pd.DataFrame(values.astype(np.float32), columns=[f"{start}{name}" for name in findings])
        for start, values in ((TRUTH, truth), (PREFIX, probabilities))
    ]
    return pd.concat(parts, axis=1)
