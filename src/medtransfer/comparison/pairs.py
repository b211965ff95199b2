"""Paired tests of all variants on the same test images."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.comparison.evaluation_set import EvaluationSet
from medtransfer.comparison.results import PAIRS
from medtransfer.comparison.scores import Scores
from medtransfer.statistics.metrics import METRICS
from medtransfer.statistics.paired_tests import (
    Differences,
    corrected_resampled_t_test,
    delong_test,
    holm,
    sign_flip_test,
)
from medtransfer.util.hardware import cpu_count


@dataclass(frozen=True)
class Folds:
    """Values of each fold, averaged over seeds, if folds take turns in testing.

    values: by metric and variant, [folds]. test_to_train: the ratio of test to training images of a fold.
    """

    values: dict[str, dict[str, np.ndarray]]
    test_to_train: float


def freedom_of_difference(metric: str, test: EvaluationSet) -> float:
    """Return the degrees of freedom of a difference in a metric between two variants."""
    return test.freedom(METRICS[metric].difference_average or METRICS[metric].average)


def influence_of_difference(metric: str, scores: dict[str, Scores], a: str, others: list[str]) -> np.ndarray | None:
    """Return the influences of groups on a variant's differences from others [groups, others]; see `Scores.left_out`.

    It is None if a test set is not jackknifed.
    """
    if not others or metric not in scores[a].left_out:
        return None
    return np.stack([scores[a].left_out[metric] - scores[name].left_out[metric] for name in others], axis=1)


def all_pairs(
    scores: dict[str, Scores], metrics: tuple[str, ...], test: EvaluationSet, folds: Folds | None = None
) -> pd.DataFrame:
    """Test every pair of variants by every metric; see `Comparison.pairs`."""
    names = list(combinations(scores, 2))
    none = np.full(len(names), np.nan)
    with ThreadPoolExecutor(cpu_count()) as pool:
        exact = np.array(list(pool.map(_exact, combinations(scores.values(), 2))))
    tables = []
    for metric in metrics:
        of_folds = {} if folds is None else folds.values.get(metric, {})
        found = differences(scores, metric, test)
        corrected = holm(found.p)
        further = {
            "mcnemar_p": exact if metric == "accuracy" else none,
            "delong_p": _delong(scores, names, found.value) if metric == "roc_auc" else none,
            "resampled_t_p": [
                corrected_resampled_t_test(of_folds[a] - of_folds[b], folds.test_to_train) for a, b in names
            ]
            if folds is not None and of_folds
            else none,
        }
        columns: dict[str, Any] = {
            "metric": metric,
            "a": [a for a, _ in names],
            "b": [b for _, b in names],
            "difference": found.value,
            "se": found.error,
            "freedom": found.freedom,
            "low": found.low,
            "high": found.high,
            "p": found.p,
            "p_corrected": corrected,
            "different": corrected < 1 - test.settings.confidence,
        }
        tables.append(pd.DataFrame(columns | further, columns=list(PAIRS)))
    return pd.concat(tables, ignore_index=True)


def differences(scores: dict[str, Scores], metric: str, test: EvaluationSet) -> Differences:
    """Test the pairs of one metric, in the order of `combinations`."""
    values = np.array([found.estimates[metric].value for found in scores.values()])
    resampled = np.stack([found.resampled[metric] for found in scores.values()], axis=1)
    freedom, names = freedom_of_difference(metric, test), list(scores)
    parts = [
        test.differences(
            values[number] - values[number + 1 :],
            resampled[:, [number]] - resampled[:, number + 1 :],
            freedom,
            influence_of_difference(metric, scores, names[number], names[number + 1 :]),
        )
        for number in range(len(values))
    ]
    fields = ("value", "error", "freedom", "low", "high", "p")
    return Differences(*(np.concatenate([getattr(part, field) for part in parts]) for field in fields))


def _exact(pair: tuple[Scores, Scores]) -> float:
    a, b = pair
    if a.right is None or b.right is None:
        return float("nan")
    return sign_flip_test(a.right - b.right)


def _delong(scores: dict[str, Scores], names: list[tuple[str, str]], differences: np.ndarray) -> np.ndarray:
    influences = [(scores[a].influence, scores[b].influence) for a, b in names]
    return np.array(
        [
            np.nan if a is None or b is None else delong_test(difference, a - b)
            for (a, b), difference in zip(influences, differences, strict=True)
        ]
    )
