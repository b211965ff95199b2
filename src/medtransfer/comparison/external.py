"""All variants on test sets from elsewhere: their scores, how far they fall behind those at home, and their ranking."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.comparison.evaluation_set import EvaluationSet, images_of
from medtransfer.comparison.pairs import differences
from medtransfer.comparison.results import EXTERNAL, RANKINGS
from medtransfer.comparison.scores import Scores, score
from medtransfer.comparison.tables import Tables, tables_of
from medtransfer.data.prepared import Prepared
from medtransfer.statistics.intervals import difference_interval
from medtransfer.statistics.metrics import METRICS
from medtransfer.statistics.ranks import pairwise_tau, tau_interval
from medtransfer.study import Study
from medtransfer.tasks.predictions import Predictions
from medtransfer.util.errors import UserError
from medtransfer.util.places import Places
from medtransfer.util.progress import in_parallel

SHOWN = ("calibration", "operating", "per_class", "per_finding", "agreement", "ranges")
"""The tables of a task that are also made of external test sets, with a first column `set`."""


def compare_elsewhere(
    study: Study, predictions: dict[str, Predictions], home: EvaluationSet, metrics: tuple[str, ...], places: Places
) -> tuple[dict[str, Any], list[str]]:
    """Score the variants on each external test set, next to the study's own: tables of `Comparison`, and warnings.

    predictions: by variant. home: the study's own test images. Classes without an image in an external set are left out
    at home, too, so that both scores are about the same classes. Raises `UserError` if predictions are missing.
    """
    scores, rankings, warnings = [], [], []
    tables: dict[str, list[pd.DataFrame]] = {}
    for name in study.params.data.external:
        _require(name, predictions)
        there = {variant: found.of_external(name) for variant, found in predictions.items()}
        at_home, rows = _of_present(predictions, there, home), next(iter(there.values())).tests
        test = _drawn(study, rows, name)
        own = home if at_home is predictions else _drawn(study, next(iter(at_home.values())).tests, f"{name} at home")
        first = in_parallel(partial(_scores, own), at_home.values())
        second = in_parallel(partial(_scores, test), there.values())
        parts = in_parallel(partial(_tables, study, test), there, there.values())
        pairs = dict(zip(predictions, zip(first, second, strict=True), strict=True))
        scores += [drop_row(name, variant, metric, *pairs[variant], test) for metric in metrics for variant in pairs]
        sides = (own, dict(zip(predictions, first, strict=True))), (test, dict(zip(predictions, second, strict=True)))
        rankings += [ranking_row(name, metric, *sides) for metric in metrics]
        for part in parts:
            for table in [each for each in SHOWN if each in part]:
                part[table].insert(0, "set", name)
                tables.setdefault(table, []).append(part[table])
        told = [*Prepared(places.external(name)).about["warnings"], *test.warnings]
        warnings += [f"EXTERNAL TEST SET: {name}: {warning}" for warning in told]
    found = {
        "external": pd.DataFrame(scores, columns=list(EXTERNAL)),
        "rankings": pd.DataFrame(rankings, columns=list(RANKINGS)),
        "external_tables": {table: pd.concat(parts, ignore_index=True) for table, parts in tables.items()},
    }
    return found, warnings


def _require(name: str, predictions: dict[str, Predictions]) -> None:
    images: pd.DataFrame | None = None
    for variant, found in predictions.items():
        own = found.of_external(name).tests.images
        if own.empty or (images is not None and not own.equals(images)):
            raise UserError(
                f"predictions/{variant}.parquet does not cover the external set {name}; `dvc repro evaluate@{variant}`"
            )
        images = own


def _of_present(
    home: dict[str, Predictions], there: dict[str, Predictions], test: EvaluationSet
) -> dict[str, Predictions]:
    """Leave the classes out of predictions at home that no external image has; of exclusive classes only."""
    rows = next(iter(there.values())).tests
    if "label" not in rows.table or not test.classes:
        return home
    present = rows.table["label"].unique()
    if set(test.labels) <= set(present):
        return home
    return {
        name: replace(found, table=found.table[(found.table["role"] != "test") | found.table["label"].isin(present)])
        for name, found in home.items()
    }


def _drawn(study: Study, rows: Predictions, name: str) -> EvaluationSet:
    return images_of(rows, study.params.comparison, "bootstrap", study.params.study.seed, name)


def _scores(test: EvaluationSet, predictions: Predictions) -> Scores:
    return score(predictions.of_role("test"), test)


def _tables(study: Study, test: EvaluationSet, name: str, predictions: Predictions) -> Tables:
    made = tables_of(study.params.study.task).of_variant(name, replace(predictions), test, study)
    return {table: rows.copy() for table, rows in made.items() if table in SHOWN}


def drop_row(name: str, variant: str, metric: str, home: Scores, there: Scores, test: EvaluationSet) -> dict[str, Any]:
    """Return a row of `Comparison.external`; test: the images there."""
    own, other = home.estimates[metric], there.estimates[metric]
    worse = -1 if METRICS[metric].lower_is_better else 1
    low, high = difference_interval((own.value, own.low, own.high), (other.value, other.low, other.high))
    ends = sorted((worse * low, worse * high)) if math.isfinite(low + high) else (math.nan, math.nan)
    return {
        "set": name,
        "variant": variant,
        "metric": metric,
        "images": len(test.images),
        "groups": test.groups,
        **other.columns("value"),
        **own.columns("home"),
        "drop": worse * (own.value - other.value),
        "drop_low": ends[0],
        "drop_high": ends[1],
    }


def ranking_row(
    name: str,
    metric: str,
    home: tuple[EvaluationSet, dict[str, Scores]],
    there: tuple[EvaluationSet, dict[str, Scores]],
) -> dict[str, Any]:
    """Return a row of `Comparison.rankings`, from the variants' scores on the test images at home and there."""
    key, names = METRICS[metric].sort_key, list(home[1])
    values = [np.array([each.estimates[metric].value for each in scores.values()]) for _, scores in (home, there)]
    found = [differences(scores, metric, test) for test, scores in (home, there)]
    low, high = tau_interval([each.value for each in found], [each.p for each in found], home[0].settings.confidence)
    best = [names[int(np.argmin(key(each)))] for each in values]
    return {
        "set": name,
        "metric": metric,
        "variants": len(names),
        "tau": pairwise_tau(*values),
        "tau_low": low,
        "tau_high": high,
        "best_at_home": best[0],
        "best_there": best[1],
    }
