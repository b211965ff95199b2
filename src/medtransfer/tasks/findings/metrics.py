"""The metrics of findings. Findings of an image that are not known count in none of them.

Macro means are over findings; micro means take each finding of each image as one decision. Thresholds are chosen on
validation rows. Areas and macro F1, precision and recall are registered with those of classes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from medtransfer.statistics.areas import Areas, class_areas, mean_areas, mean_influence
from medtransfer.statistics.class_counts import ClassCounts
from medtransfer.statistics.metrics import Outcomes, metric
from medtransfer.statistics.resampling import Resamples

TASK = "multilabel"


@dataclass(frozen=True)
class FindingOutcomes(Outcomes):
    """See `Outcomes`.

    truth: float [images, findings], 1 or 0, nan if not known. probabilities: float32 [images, findings]. called: bool
    [images, findings], whether a probability reaches the threshold of its run and finding.
    """

    truth: np.ndarray
    probabilities: np.ndarray
    called: np.ndarray

    @cached_property
    def known(self) -> np.ndarray:
        """Which findings are known: bool [images, findings]."""
        return np.isfinite(self.truth)

    @cached_property
    def wrong(self) -> np.ndarray:
        """Which known findings are called wrongly: bool [images, findings]."""
        return np.asarray(self.known & (self.called != (self.truth == 1)))

    @cached_property
    def by_finding(self) -> list[Areas]:
        """The areas under the curves of each finding in each resample."""
        found = []
        for truth, scores, known in zip(self.truth.T, self.probabilities.T, self.known.T, strict=True):
            weights = replace(self.weights, group=self.weights.group[known])
            found.append(class_areas(truth[known] == 1, scores[known], weights))
        return found

    @cached_property
    def areas(self) -> Areas:
        """Their means over the findings that a resample leaves defined."""
        return mean_areas(self.by_finding)

    @cached_property
    def pooled(self) -> Areas:
        """The areas of all findings of all images together."""
        images, findings = np.nonzero(self.known)
        weights = Resamples(self.weights.group[images], self.weights.counts)
        return class_areas(self.truth[images, findings] == 1, self.probabilities[images, findings], weights)

    @cached_property
    def counts(self) -> ClassCounts:
        """The counts of present, called, and rightly called findings in each resample."""
        present, called = self.truth == 1, self.known & self.called
        return ClassCounts(*(self.weights.totals(of).astype(np.float64) for of in (present, called, present & called)))

    @cached_property
    def influence(self) -> np.ndarray:
        """The influence of each group on the macro mean of the areas under the ROC curve, float [groups]."""
        return mean_influence(self.truth, self.probabilities, self.weights.group)


@metric("roc_auc_micro", "ROC-AUC (micro)", TASK)
def roc_auc_micro(run: FindingOutcomes) -> np.ndarray:
    """Return the area under the ROC curve of all findings of all images together."""
    return run.pooled.roc


@metric("pr_auc_micro", "PR-AUC (micro)", TASK)
def pr_auc_micro(run: FindingOutcomes) -> np.ndarray:
    """Return the average precision of all findings of all images together."""
    return run.pooled.precision_recall


@metric("f1_micro", "F1 (micro)", TASK)
def f1_micro(run: FindingOutcomes) -> np.ndarray:
    """Return the F1 of all findings of all images together; 0 if none is present or called."""
    counts = run.counts
    return np.asarray(2 * counts.right.sum(axis=1) / np.maximum((counts.labelled + counts.predicted).sum(axis=1), 1))


@metric("subset_accuracy", "Subset accuracy", TASK, in_summary=True)
def subset_accuracy(run: FindingOutcomes) -> np.ndarray:
    """Return the share of images all of whose known findings are called right."""
    return run.weights.mean(np.where(run.known.any(axis=1), ~run.wrong.any(axis=1), np.nan))


@metric("hamming_loss", "Hamming loss", TASK, lower_is_better=True)
def hamming_loss(run: FindingOutcomes) -> np.ndarray:
    """Return the share of known findings that are called wrongly."""
    wrong, known = run.weights.totals(np.stack([run.wrong.sum(axis=1), run.known.sum(axis=1)], axis=1)).T
    with np.errstate(invalid="ignore"):
        return np.asarray(wrong / known)
