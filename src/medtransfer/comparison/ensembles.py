"""Joint predictions: means over several variants, or over views of the images, their cost and paired tests.

Dietterich 2000, "Ensemble methods in machine learning". A run of an ensemble is the mean of the same run, that is fold
and seed, of its members.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.comparison.evaluation_set import EvaluationSet, images_of
from medtransfer.comparison.inputs import StageOutputs
from medtransfer.comparison.pairs import all_pairs
from medtransfer.comparison.results import ENSEMBLES
from medtransfer.comparison.rows import differences_to
from medtransfer.comparison.scores import Scores, score
from medtransfer.statistics.metrics import METRICS, phrase_of
from medtransfer.statistics.paired_tests import holm
from medtransfer.study import Study
from medtransfer.tasks.predictions import Predictions, average

ALL, TIED = "mean of all variants", "mean of those tied on validation images"


@dataclass(frozen=True)
class _Joint:
    """Joint predictions: their members, how often each predicts an image, and the single variant to compare with."""

    of: list[str]
    views: int
    reference: str
    predictions: Predictions


def ensemble_table(
    study: Study,
    inputs: StageOutputs,
    scores: dict[str, Scores],
    test: EvaluationSet,
    metrics: tuple[str, ...],
    table: pd.DataFrame,
) -> pd.DataFrame:
    """Score joint predictions of test images; see `Comparison.ensembles`.

    table: that of `Comparison`. Means of several variants are left out if there are fewer than two, or if stored
    predictions of the task have no mean.
    """
    settings = study.params.comparison
    rows = table[table["kind"] == "variant"].set_index("variant")
    joint = _means(study, {name: inputs.predictions[name] for name in study.variants}, str(rows.index[0]))
    for name, views in settings.tta.items():
        joint[f"{name}, {views.views} views"] = _Joint([name], views.views, name, inputs.views[name])
    lines = []
    for name, each in joint.items():
        found = score(each.predictions.of_role("test"), test)
        compared = {name: found, each.reference: scores[each.reference]}
        pair = all_pairs(compared, (settings.metric,), test).iloc[0]
        line: dict[str, Any] = {"ensemble": name, "members": len(each.of), "views": each.views}
        line |= {"variants": ", ".join(each.of), "reference": each.reference}
        for metric in metrics:
            line |= found.estimates[metric].columns(metric)
        line |= {"difference": pair["difference"], "difference_low": pair["low"], "difference_high": pair["high"]}
        sizes = rows.loc[each.of, ["parameters", "multiply_adds"]].sum()
        costs = {"parameters": sizes["parameters"], "multiply_adds": each.views * sizes["multiply_adds"]}
        lines.append(line | {"p_corrected": pair["p"]} | costs)
    found = pd.DataFrame(lines, columns=None if lines else list(ENSEMBLES))
    return found.assign(p_corrected=holm(found["p_corrected"].to_numpy(float)))


def _means(study: Study, predictions: dict[str, Predictions], best: str) -> dict[str, _Joint]:
    """Return the mean of all variants, and of some, by name; empty if there is no mean."""
    if len(predictions) < 2 or average(list(predictions.values())) is None:
        return {}
    members = {ALL: list(predictions), TIED: tied_on_validation(study, predictions)}
    if not 1 < len(members[TIED]) < len(predictions):
        del members[TIED]
    means = {name: average([predictions[each] for each in of]) for name, of in members.items()}
    return {name: _Joint(members[name], 1, best, mean) for name, mean in means.items() if mean is not None}


def tied_on_validation(study: Study, predictions: dict[str, Predictions]) -> list[str]:
    """Return the variants that are not significantly worse than the best on validation images, the best included.

    The tests are those of the table, so that no test image has a say in the choice.
    """
    settings = study.params.comparison
    of_role = {name: each.of_role("validation") for name, each in predictions.items()}
    key = ("bootstrap of validation images", study.params.study.seed)
    images = images_of(next(iter(of_role.values())), settings, *key)
    only = (settings.metric,)
    scores = {name: score(each, images, only) for name, each in of_role.items()}
    values = {name: each.estimates[settings.metric].value for name, each in scores.items()}
    best = min(values, key=lambda name: METRICS[settings.metric].sort_key(values[name]))
    if not np.isfinite(values[best]):
        return []
    to_best = differences_to(best, all_pairs(scores, only, images))
    return [name for name in predictions if to_best[name]["tied_with_best"]]


def ensembles_note(ensembles: pd.DataFrame, metric: str) -> str:
    """Explain the table, and name the members that were chosen."""
    if ensembles.empty:
        return ""
    means, views = ensembles[ensembles["views"] == 1], ensembles[ensembles["views"] > 1]
    told = []
    if not means.empty:
        told.append(
            "Means of the stored predictions of several variants, run by run, against the best single variant, "
            f"{means['reference'].iloc[0]}, which was found on the test images and is flattered by that."
        )
    for variants in means.loc[means["ensemble"] == TIED, "variants"]:
        told.append(f"Tied, not shown to be worse, on validation images: {variants}; no test image was used to choose.")
    if not views.empty:
        told.append(
            "Views: test-time augmentation, the mean over the image and draws of the variant's augmentation, against "
            "the variant without it."
        )
    told.append(
        f"Difference: in {phrase_of(metric)}; p: corrected by Holm's rule over these rows. Cost: the sum over members "
        "and views."
    )
    return " ".join(told)
