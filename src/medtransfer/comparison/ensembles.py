"""Means of the predictions of several variants: what they cost, and whether they are better than the best single one.

Dietterich 2000, "Ensemble methods in machine learning". A run of an ensemble is the mean of the same run, that is fold
and seed, of its members.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medtransfer.comparison.evaluation_set import EvaluationSet, draw_evaluation_set
from medtransfer.comparison.pairs import all_pairs
from medtransfer.comparison.results import ENSEMBLES
from medtransfer.comparison.rows import differences_to
from medtransfer.comparison.scores import Scores, score
from medtransfer.statistics.metrics import METRICS, phrase_of
from medtransfer.statistics.paired_tests import holm
from medtransfer.study import Study
from medtransfer.tasks.predictions import Predictions, average
from medtransfer.util.seeds import generator

ALL, TIED = "mean of all variants", "mean of those tied on validation images"
COSTS = ("parameters", "multiply_adds")


def ensemble_table(
    study: Study,
    predictions: dict[str, Predictions],
    scores: dict[str, Scores],
    test: EvaluationSet,
    metrics: tuple[str, ...],
    table: pd.DataFrame,
) -> pd.DataFrame:
    """Score the means of the variants' predictions on test images; see `Comparison.ensembles`.

    predictions: by variant. table: that of `Comparison`. It is empty if there are fewer than two variants, or if stored
    predictions of the task have no mean.
    """
    members = {ALL: list(predictions)}
    if len(predictions) < 2 or average(list(predictions.values())) is None:
        return pd.DataFrame(columns=ENSEMBLES)
    members[TIED] = tied_on_validation(study, predictions)
    if not 1 < len(members[TIED]) < len(predictions):
        del members[TIED]
    settings = study.params.comparison
    rows = table[table["kind"] == "variant"].set_index("variant")
    best = str(rows.index[0])
    found = {best: scores[best]}
    for name, of in members.items():
        mean = average([predictions[each] for each in of])
        assert mean is not None
        mean = mean.for_comparison(settings)
        found[name] = score(mean.tests, test, settings.confidence, settings.requested)
    pairs = all_pairs(found, (settings.metric,), test, None, settings.confidence)
    to_best = differences_to(best, pairs)
    p = pairs[pairs["a"] == best].set_index("b")["p"]
    corrected = dict(zip(members, holm(np.array([p[name] for name in members])), strict=True))
    lines = []
    for name, of in members.items():
        line: dict[str, Any] = {"ensemble": name, "members": len(of), "variants": ", ".join(of), "best": best}
        for metric in metrics:
            estimate = found[name].estimates[metric]
            line |= {metric: estimate.value, f"{metric}_low": estimate.low, f"{metric}_high": estimate.high}
        gap = {key: to_best[name][key] for key in ("difference_to_best", "difference_low", "difference_high")}
        costs = {cost: rows.loc[of, cost].sum() for cost in COSTS}
        lines.append(line | gap | {"p_corrected": corrected[name]} | costs)
    return pd.DataFrame(lines)


def tied_on_validation(study: Study, predictions: dict[str, Predictions]) -> list[str]:
    """Return the variants that are not significantly worse than the best on validation images, the best included.

    The tests are those of the table, so that no test image has a say in the choice.
    """
    settings = study.params.comparison
    of_role = {name: each.for_comparison(settings).of_role("validation") for name, each in predictions.items()}
    first = next(iter(of_role.values()))
    rng = generator("bootstrap of validation images", study.params.study.seed)
    members = first.members if first.classes else None
    images = draw_evaluation_set(first.images, tuple(first.classes), settings.resamples, rng, members)
    only = (settings.metric,)
    scores = {
        name: score(each, images, settings.confidence, settings.requested, only) for name, each in of_role.items()
    }
    values = {name: each.estimates[settings.metric].value for name, each in scores.items()}
    best = min(values, key=lambda name: METRICS[settings.metric].sort_key(values[name]))
    if not np.isfinite(values[best]):
        return []
    to_best = differences_to(best, all_pairs(scores, only, images, None, settings.confidence))
    return [name for name in predictions if to_best[name]["tied_with_best"]]


def ensembles_note(ensembles: pd.DataFrame, metric: str) -> str:
    """Explain the table, and name the members that were chosen."""
    if ensembles.empty:
        return ""
    chosen = ensembles.loc[ensembles["ensemble"] == TIED, "variants"]
    told = "" if chosen.empty else f" Tied on validation images: {chosen.iloc[0]}; no test image was used to choose."
    return (
        f"Means of the stored predictions of several variants, run by run. Difference: in {phrase_of(metric)} from "
        f"the best single variant, {ensembles['best'].iloc[0]}, which was found on the test images and is flattered by "
        f"that; p: corrected by Holm's rule. Cost: the sum of the members'.{told}"
    )
