"""Compare all variants of a study from their stored predictions."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pandas as pd

from medtransfer.comparison.cost import cost_table, learning_table, trials_table
from medtransfer.comparison.effects import factor_effects
from medtransfer.comparison.ensembles import ensemble_table
from medtransfer.comparison.evaluation_set import EvaluationSet, images_of
from medtransfer.comparison.external import compare_elsewhere
from medtransfer.comparison.fractions import fraction_tables
from medtransfer.comparison.inputs import read_folds, read_inputs
from medtransfer.comparison.maps import maps_table
from medtransfer.comparison.margins import margin_table
from medtransfer.comparison.pairs import all_pairs
from medtransfer.comparison.results import Comparison
from medtransfer.comparison.rows import comparison_table, published_table, verdict_of
from medtransfer.comparison.scores import Scores, score
from medtransfer.comparison.subgroups import compare_subgroups
from medtransfer.comparison.tables import Tables, tables_of
from medtransfer.comparison.warnings import baseline_warnings, budget_warnings, chance_warnings, promise_warnings
from medtransfer.comparison.writing import write_comparison
from medtransfer.data.prepared import Prepared
from medtransfer.statistics.metrics import headline_metrics
from medtransfer.study import Study
from medtransfer.tasks import TASKS
from medtransfer.tasks.predictions import Predictions
from medtransfer.util.places import HERE, Places
from medtransfer.util.progress import in_parallel


def compare(study: Study, places: Places = HERE) -> Comparison:
    """Compare the variants of the params, and write the tables and the points of curves.

    Predictions of other variants are named in a warning and ignored. Raises `UserError` if predictions are missing.
    """
    comparison = compute_comparison(study, places)
    write_comparison(comparison, places)
    return comparison


def compute_comparison(study: Study, places: Places) -> Comparison:
    """Compute everything that the tables, figures and pages of a comparison show, and write nothing."""
    inputs = read_inputs(study, places)
    settings = study.params.comparison
    first = next(iter(inputs.predictions.values())).tests
    test = images_of(first, settings, "bootstrap", study.params.study.seed)
    metrics = tuple(dict.fromkeys((settings.metric, *headline_metrics(study.params.study.task), *settings.requested)))
    examined = in_parallel(partial(_examine, study, test), inputs.predictions, inputs.predictions.values())
    scores, parts, promised = zip(*examined, strict=True)
    by_name = dict(zip(inputs.predictions, scores, strict=True))
    of_variants = {name: by_name[name] for name in study.variants}
    parts = (*parts, tables_of(study.params.study.task).of_no_model(test, study))
    folds = read_folds(inputs.metrics, Prepared(places.prepared))
    pairs = all_pairs(of_variants, metrics, test, folds)
    table = comparison_table(study, by_name, dict(zip(by_name, promised, strict=True)), pairs, inputs)
    margins = margin_table(table, pairs, settings.metric, settings.margin, settings.confidence)
    own = {name: inputs.predictions[name] for name in study.variants}
    elsewhere, warnings_elsewhere = compare_elsewhere(study, own, test, metrics, places)
    subgroups, gaps = compare_subgroups(study, own, metrics, places)
    return Comparison(
        study=study,
        metrics=metrics,
        classes=test.classes,
        test={"images": len(test.images), "groups": test.groups, "resamples": settings.resamples},
        warnings=(
            *inputs.about["warnings"],
            *TASKS[study.params.study.task].warnings(study.params),
            *chance_warnings(study, table),
            *baseline_warnings(study, table),
            *promise_warnings(study, table),
            *budget_warnings(study),
            *test.warnings,
            *warnings_elsewhere,
        ),
        verdict=verdict_of(table, settings.metric, margins),
        margins=margins,
        ensembles=ensemble_table(study, inputs, of_variants, test, metrics, table),
        table=table,
        pairs=pairs,
        effects=factor_effects(study, of_variants, metrics, test),
        learning=learning_table({name: places.model(name) / "history.csv" for name in study.variants}),
        costs=cost_table(inputs.cards, places.results / "cost"),
        maps=maps_table(study, places),
        trials=trials_table(study, places),
        **fraction_tables(study, inputs, of_variants, test),
        published=published_table(table),
        subgroups=subgroups,
        gaps=gaps,
        **elsewhere,
        audit=inputs.audit,
        about=inputs.about,
        **{
            name: pd.concat([part[name] for part in parts if name in part], ignore_index=True)
            for name in dict.fromkeys(name for part in parts for name in part)
        },
    )


def _examine(study: Study, test: EvaluationSet, name: str, predictions: Predictions) -> tuple[Scores, Tables, float]:
    """Score a variant or baseline, make its rows of the tables of its task, and return its score on validation rows."""
    predictions = replace(predictions)  # a copy, whose caches go with it
    tables = tables_of(study.params.study.task)
    rows_of = tables.of_variant if name in study.variants else tables.of_baseline
    scores = score(predictions.tests, test)
    promised = predictions.of_role("validation").mean_over_runs(study.params.comparison.metric)
    return scores, rows_of(name, predictions, test, study), promised
