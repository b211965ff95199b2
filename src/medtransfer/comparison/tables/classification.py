"""The tables of a classification: each class, confusions, curves and images, calibration and operating points."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medtransfer.comparison.evaluation_set import EvaluationSet
from medtransfer.comparison.results import CONFUSION, CURVES, IMAGES, OPERATING, PER_CLASS
from medtransfer.comparison.scores import estimates_of
from medtransfer.comparison.tables import TABLES, Tables, TaskTables
from medtransfer.comparison.tables.calibration import calibration_tables
from medtransfer.comparison.tables.operating import decision_curves, operating_points, treating_without_a_model
from medtransfer.statistics.resampling import Resamples
from medtransfer.study import Study
from medtransfer.tasks.classes.figures import MOST_POINTS, macro_curves
from medtransfer.tasks.classes.predictions import ClassPredictions


class ClassificationTables(TaskTables):
    """See `Comparison`; operating points and decision curves are those of binary tasks."""

    def of_variant(self, name: str, predictions: ClassPredictions, test: EvaluationSet, study: Study) -> Tables:
        """Return a variant's rows of each table."""
        tests = predictions.tests
        calibration, bins = calibration_tables(name, predictions, test, study.params.study.seed)
        curves, operating = [curve_table(name, tests)], pd.DataFrame(columns=OPERATING)
        if len(test.classes) == 2:
            operating = operating_points(name, predictions, test)
            curves.append(decision_curves(name, tests, test))
        return {
            "calibration": calibration,
            "reliability": bins,
            "operating": operating,
            "curves": pd.concat(curves, ignore_index=True),
            "per_class": per_class_table(name, tests, test),
            "confusion": confusion_table(name, tests),
            "images": image_table(name, tests),
        }

    def of_baseline(self, name: str, predictions: ClassPredictions, test: EvaluationSet, study: Study) -> Tables:
        """Return a baseline's rows by class."""
        return {"per_class": per_class_table(name, predictions.tests, test)}

    def of_no_model(self, test: EvaluationSet, study: Study) -> Tables:
        """Return the decision curves of treating all and of treating none."""
        return {"curves": treating_without_a_model(test)} if len(test.classes) == 2 else {}


def per_class_table(name: str, tests: ClassPredictions, test: EvaluationSet) -> pd.DataFrame:
    """Return a variant's rows of `Comparison.per_class`; a class without test images has no values."""
    rows = pd.DataFrame({"variant": name, "class": test.classes, "groups": test.groups_of_class})
    rows["images"] = np.bincount(test.labels, minlength=len(test.classes))
    freedoms = [test.freedom(number) for number in range(len(test.classes))]
    for value in ("precision", "recall", "f1"):

        def known(weights: Resamples, value: str = value) -> list[np.ndarray]:
            return [run.counts.known(value) for run in tests.outcomes(weights)]

        found = estimates_of(known, test, freedoms, undefined=0.0)
        rows[[value, f"{value}_low", f"{value}_high"]] = [
            (of.value, of.low, of.high) if groups else [np.nan] * 3
            for of, groups in zip(found, test.groups_of_class, strict=True)
        ]
    return rows[list(PER_CLASS)]


def confusion_table(name: str, tests: ClassPredictions) -> pd.DataFrame:
    """Count which label was predicted as which class, over all runs; labels without images have no rows."""
    scores, labels, classes = tests.replicates, tests.images["label"].to_numpy(), len(tests.classes)
    cells = (labels * classes + scores.argmax(axis=2)).ravel()
    counts = np.bincount(cells, minlength=classes**2).reshape(classes, classes)
    present = np.flatnonzero(counts.sum(axis=1))
    names = np.array(tests.classes)
    table = pd.DataFrame(
        {
            "variant": name,
            "label": np.repeat(names[present], classes),
            "predicted": np.tile(names, len(present)),
            "count": counts[present].ravel(),
            "share": (counts[present] / counts[present].sum(axis=1, keepdims=True)).ravel(),
        }
    )
    return table[list(CONFUSION)]


def curve_table(name: str, tests: ClassPredictions) -> pd.DataFrame:
    """Return the points of a variant's ROC and precision-recall curves, mean over runs."""
    labels = tests.images["label"].to_numpy()
    curves = np.mean([macro_curves(labels, scores) for scores in tests.replicates], axis=0)
    grid = np.linspace(0.0, 1.0, MOST_POINTS)
    tables = [
        pd.DataFrame({"variant": name, "curve": curve, "x": grid, "y": values})
        for curve, values in zip(("roc", "precision_recall"), curves, strict=True)
    ]
    return pd.concat(tables, ignore_index=True).reindex(columns=CURVES)


def image_table(name: str, tests: ClassPredictions) -> pd.DataFrame:
    """Return a variant's rows of `Comparison.images`."""
    images, scores = tests.images, tests.replicates
    labels, names = images["label"].to_numpy(), np.array(tests.classes)
    mean = scores.mean(axis=0, dtype=np.float64)
    table = pd.DataFrame(
        {
            "variant": name,
            "path": images["path"],
            "group": images["group"],
            "label": names[labels],
            "predicted": names[mean.argmax(axis=1)],
            "right": (scores.argmax(axis=2) == labels).mean(axis=0),
            "probability": mean[np.arange(len(labels)), labels],
        }
    )
    return table[list(IMAGES)]


TABLES.register("classification", ClassificationTables())
