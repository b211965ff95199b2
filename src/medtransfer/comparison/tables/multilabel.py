"""The tables of several findings: each finding, and the most confident wrong predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medtransfer.comparison.evaluation_set import EvaluationSet
from medtransfer.comparison.results import PER_FINDING, SURE_ERRORS
from medtransfer.comparison.scores import estimates_of
from medtransfer.comparison.tables import TABLES, Tables, TaskTables
from medtransfer.statistics.calibration import CALIBRATION_BINS, confidence_bins
from medtransfer.statistics.resampling import Resamples
from medtransfer.study import Study
from medtransfer.tasks.findings.predictions import FindingPredictions

MOST_ERRORS = 20
HALF = 0.5


class MultilabelTables(TaskTables):
    """See `Comparison.per_finding` and `Comparison.sure_errors`."""

    def of_variant(self, name: str, predictions: FindingPredictions, test: EvaluationSet, study: Study) -> Tables:
        """Return a variant's rows of both tables."""
        return self.of_baseline(name, predictions, test, study) | {"sure_errors": sure_errors(name, predictions.tests)}

    def of_baseline(self, name: str, predictions: FindingPredictions, test: EvaluationSet, study: Study) -> Tables:
        """Return a baseline's rows by finding."""
        return {"per_finding": per_finding_table(name, predictions.tests, test)}

    def legend(self, about: dict[str, object]) -> str:
        """Explain macro, micro and thresholds."""
        return (
            "ROC-AUC, PR-AUC and macro values are means over findings; micro values take each finding of each image as "
            "one decision. F1, subset accuracy and Hamming loss use the threshold of each finding with the best F1 on "
            "validation rows. Findings that are not known count in none. By finding: `metrics/tables/per_finding.csv`. "
        )


def per_finding_table(name: str, tests: FindingPredictions, test: EvaluationSet) -> pd.DataFrame:
    """Return a variant's rows of `Comparison.per_finding`."""
    truth = tests.truth
    rows = pd.DataFrame({"variant": name, "finding": tests.classes, "groups": test.groups_of_class})
    rows["images"], rows["known"] = (truth == 1).sum(axis=0), np.isfinite(truth).sum(axis=0)
    freedoms = [test.freedom(each) for each in range(len(rows))]
    for value in ("roc_auc", "pr_auc", "f1"):

        def by_finding(weights: Resamples, value: str = value) -> list[np.ndarray]:
            runs = tests.outcomes(weights)
            if value == "f1":
                return [run.counts.known("f1") for run in runs]
            areas = "roc" if value == "roc_auc" else "precision_recall"
            return [np.stack([getattr(each, areas) for each in run.by_finding], axis=1) for run in runs]

        found = estimates_of(by_finding, test, freedoms)
        rows[[value, f"{value}_low", f"{value}_high"]] = [(of.value, of.low, of.high) for of in found]
    rows["threshold"] = np.mean(list(tests.thresholds.values()), axis=0)
    rows["ece"] = np.mean([calibration_errors(truth, scores) for scores in tests.replicates], axis=0)
    return rows[list(PER_FINDING)]


def calibration_errors(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the expected calibration error of each finding: [findings].

    It is the distance of the share of images with the finding from its mean probability, averaged over 15 equal bins of
    the probability by their known images. truth, probabilities: [images, findings].
    """
    errors = []
    for own, scores in zip(truth.T, probabilities.T, strict=True):
        known = np.isfinite(own)
        gaps = own[known] - scores[known].astype(np.float64)
        totals = np.bincount(confidence_bins(scores[known]), weights=gaps, minlength=CALIBRATION_BINS)
        errors.append(np.abs(totals).sum() / max(known.sum(), 1))
    return np.array(errors)


def sure_errors(name: str, tests: FindingPredictions) -> pd.DataFrame:
    """Return a variant's rows of `Comparison.sure_errors`."""
    truth, scores = tests.truth, tests.replicates.mean(axis=0, dtype=np.float64)
    gap = np.where(np.isfinite(truth), np.abs(truth - scores), 0.0)
    places = np.argsort(-gap.ravel(), kind="stable")[:MOST_ERRORS]
    images, findings = np.unravel_index(places[gap.ravel()[places] > HALF], gap.shape)
    return pd.DataFrame(
        {
            "variant": name,
            "path": tests.images["path"].to_numpy()[images],
            "finding": np.array(tests.classes)[findings],
            "present": truth[images, findings] == 1,
            "probability": scores[images, findings],
        },
        columns=list(SURE_ERRORS),
    )


TABLES.register("multilabel", MultilabelTables())
