"""Brings the predictions of all variants of a study together."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pandas as pd
from threadpoolctl import threadpool_limits

from medtransfer.comparison.calibration import calibration_tables
from medtransfer.comparison.classes import confusion_table, curve_table, image_table, mask_table, per_class_table
from medtransfer.comparison.cost import cost_table, learning_table
from medtransfer.comparison.effects import factor_effects
from medtransfer.comparison.inputs import Inputs, read_folds, read_inputs
from medtransfer.comparison.maps import maps_table
from medtransfer.comparison.operating import decision_curves, operating_points, treating_without_a_model
from medtransfer.comparison.pairs import all_pairs
from medtransfer.comparison.results import (
    CALIBRATION,
    CONFUSION,
    CURVES,
    IMAGES,
    MASKS,
    OPERATING,
    PER_CLASS,
    RELIABILITY,
    Comparison,
)
from medtransfer.comparison.rows import comparison_table, published_table, verdict_of
from medtransfer.comparison.scores import Outcomes, Scores, outcomes_of, score
from medtransfer.comparison.test_set import TestSet, draw_test_set
from medtransfer.comparison.warnings import chance_warnings, pretraining_warnings
from medtransfer.comparison.writing import write_comparison
from medtransfer.data.prepared import Prepared
from medtransfer.study import BASELINES, RULES, Study
from medtransfer.tasks.classes.predictions import Predictions
from medtransfer.tasks.reading import AnyPredictions
from medtransfer.util.hardware import cpu_count
from medtransfer.util.places import HERE, Places
from medtransfer.util.seeds import generator

Tables = dict[str, pd.DataFrame]

OF_TASKS = {
    "calibration": CALIBRATION,
    "reliability": RELIABILITY,
    "operating": OPERATING,
    "curves": CURVES,
    "per_class": PER_CLASS,
    "confusion": CONFUSION,
    "images": IMAGES,
    "masks": MASKS,
}
"""The tables that only one task has; in the other they are empty."""


def compare(study: Study, places: Places = HERE) -> Comparison:
    """Compare the variants of the params, and write the tables and the points of curves.

    Files of other variants are named in a warning and left alone. Raises `UserError` where the predictions of
    one are missing.
    """
    comparison = compute_comparison(study, places)
    write_comparison(comparison, places)
    return comparison


def compute_comparison(study: Study, places: Places) -> Comparison:
    """Compute everything that the tables, figures and pages of a comparison show, and write nothing."""
    inputs = read_inputs(study, places)
    test = _test_set(study, inputs)
    settings = study.params.comparison
    headline = RULES[study.params.study.task].headline
    metrics = (settings.metric, *(name for name in headline if name != settings.metric))
    parts = _in_parallel(partial(_examine, study, test), inputs.predictions)
    scores = {name: part.scores for name, part in parts.items()}
    of_variants = {name: scores[name] for name in study.variants}
    folds = read_folds(inputs.metrics, Prepared(places.prepared))
    pairs = all_pairs(of_variants, metrics, test, folds, settings.confidence)
    table = comparison_table(study, scores, pairs, inputs)
    tables = {name: pd.DataFrame(columns=list(columns)) for name, columns in OF_TASKS.items()}
    for name in {name: None for part in parts.values() for name in part.tables}:
        found = [part.tables[name] for part in parts.values() if name in part.tables]
        tables[name] = pd.concat(found, ignore_index=True)
    if len(test.classes) == 2:
        tables["curves"] = pd.concat(
            [tables["curves"], treating_without_a_model(test, settings.confidence)], ignore_index=True
        )
    return Comparison(
        study=study,
        metrics=metrics,
        classes=test.classes,
        test={"images": len(test.images), "groups": test.groups, "resamples": settings.resamples},
        warnings=(
            *inputs.about["warnings"],
            *pretraining_warnings(study, inputs.cards),
            *chance_warnings(study, table),
            *test.warnings,
        ),
        verdict=verdict_of(table, settings.metric),
        table=table,
        pairs=pairs,
        effects=factor_effects(study, of_variants, metrics, test, settings.confidence),
        learning=learning_table({name: places.model(name) / "history.csv" for name in study.variants}),
        costs=cost_table(inputs.cards, places.results / "cost"),
        maps=maps_table(study, places),
        published=published_table(table),
        audit=inputs.audit,
        about=inputs.about,
        **tables,
    )


@dataclass(frozen=True)
class Part:
    """What one variant or baseline adds: its scores, and its rows of tables by their name."""

    scores: Scores
    tables: Tables


def _test_set(study: Study, inputs: Inputs) -> TestSet:
    tests = next(iter(inputs.predictions.values())).of_role("test")
    classes = tuple(tests.classes) if isinstance(tests, Predictions) else ()
    rng = generator("bootstrap", study.params.study.seed)
    return draw_test_set(tests.images, classes, study.params.comparison.resamples, rng)


def _examine(study: Study, test: TestSet, name: str, predictions: AnyPredictions) -> Part:
    """Score a variant or baseline, and make its rows of the tables of its task."""
    outcomes = outcomes_of(predictions.of_role("test"))
    scores = score(outcomes, test, study.params.comparison.confidence)
    if isinstance(predictions, Predictions):
        return Part(scores, _of_classes(study, test, name, predictions, outcomes, scores))
    return Part(scores, {} if name in BASELINES else {"masks": mask_table(name, predictions.of_role("test"))})


def _of_classes(
    study: Study, test: TestSet, name: str, predictions: Predictions, outcomes: Outcomes, scores: Scores
) -> Tables:
    """Make the rows of the tables of classes; calibration, curves and the like are for variants alone."""
    confidence = study.params.comparison.confidence
    tests = predictions.of_role("test")
    tables: Tables = {"per_class": per_class_table(name, scores, test)}
    if name in BASELINES:
        return tables
    calibration, bins = calibration_tables(name, predictions, outcomes, test, study.params.study.seed, confidence)
    curves, operating = [curve_table(name, tests)], pd.DataFrame(columns=OPERATING)
    if len(test.classes) == 2:
        operating = operating_points(name, predictions, test, confidence)
        curves.append(decision_curves(name, predictions, test, confidence))
    return tables | {
        "calibration": calibration,
        "reliability": bins,
        "operating": operating,
        "curves": pd.concat(curves, ignore_index=True),
        "confusion": confusion_table(name, tests),
        "images": image_table(name, tests),
    }


def _in_parallel(
    examine: Callable[[str, AnyPredictions], Part], predictions: dict[str, AnyPredictions]
) -> dict[str, Part]:
    """Examine all variants on all processors; a thread each, because the arrays' own threads sum in another order."""
    with threadpool_limits(1), ThreadPoolExecutor(cpu_count()) as pool:
        parts = pool.map(examine, predictions, predictions.values())
        return dict(zip(predictions, parts, strict=True))
