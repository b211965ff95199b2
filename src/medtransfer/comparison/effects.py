"""Effects of a factor with all else equal: backbone, augmentation, strategy or a field of it."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

from medtransfer.comparison.evaluation_set import EvaluationSet
from medtransfer.comparison.pairs import freedom_of_difference, influence_of_difference
from medtransfer.comparison.results import EFFECTS
from medtransfer.comparison.scores import Scores
from medtransfer.statistics.paired_tests import holm
from medtransfer.study import Strategy, Study

LEAST_CONTEXTS = 2

Effect = tuple[str, str, str]
"""A factor and two of its levels."""


def factor_effects(
    study: Study, scores: dict[str, Scores], metrics: tuple[str, ...], test: EvaluationSet
) -> pd.DataFrame:
    """Average the differences of variants that differ in one factor alone; see `Comparison.effects`.

    Holm's rule corrects over all effects of a metric.
    """
    found = {effect: pairs for effect, pairs in matched_pairs(study).items() if len(pairs) >= LEAST_CONTEXTS}
    rows: list[dict[str, Any]] = []
    for metric in metrics if found else ():
        of_metric = [_effect(effect, pairs, scores, metric, test) for effect, pairs in found.items()]
        corrected = holm(np.array([row["p"] for row in of_metric]))
        rows += [row | {"p_corrected": p} for row, p in zip(of_metric, corrected, strict=True)]
    return pd.DataFrame(rows, columns=EFFECTS)


def matched_pairs(study: Study) -> dict[Effect, list[tuple[str, str]]]:
    """Return the pairs of variants that differ in one factor alone, by factor and levels.

    Two strategies that differ in one field differ in that field; otherwise they differ as strategies, unless a line
    overrides one of their fields.
    """
    settings = {
        name: {"backbone": variant.backbone_name, "augmentation": variant.augmentation_name}
        | {field: _in_words(getattr(variant.strategy, field)) for field in Strategy.model_fields}
        for name, variant in study.variants.items()
    }
    found: dict[Effect, list[tuple[str, str]]] = defaultdict(list)
    for a, b in combinations(study.variants, 2):
        differing = [field for field in settings[a] if settings[a][field] != settings[b][field]]
        if len(differing) == 1:
            factor, levels = differing[0], (settings[a][differing[0]], settings[b][differing[0]])
        elif _differ_as_strategies(study, a, b, differing):
            factor, levels = "strategy", (study.variants[a].strategy_name, study.variants[b].strategy_name)
        else:
            continue
        first, second = (a, b) if levels[0] < levels[1] else (b, a)
        found[factor, min(levels), max(levels)].append((first, second))
    return dict(sorted(found.items()))


def _differ_as_strategies(study: Study, a: str, b: str, differing: list[str]) -> bool:
    pair = study.variants[a], study.variants[b]
    as_named = all(variant.strategy == study.params.strategies[variant.strategy_name] for variant in pair)
    return bool(differing) and not {"backbone", "augmentation"} & set(differing) and as_named


def _in_words(value: Any) -> str:
    """Format a setting as briefly as in the params: a section as its kind and the values that differ from defaults."""
    if isinstance(value, BaseModel):
        kind = value.model_dump(mode="json", include={"kind"})
        changed = value.model_dump(mode="json", exclude_defaults=True, exclude={"kind"})
        return ", ".join([*kind.values(), *(f"{name} {inner}" for name, inner in changed.items())])
    return "none" if value is None else str(value)


def _effect(
    effect: Effect, pairs: list[tuple[str, str]], scores: dict[str, Scores], metric: str, test: EvaluationSet
) -> dict[str, Any]:
    by_context = np.array([scores[a].estimates[metric].value - scores[b].estimates[metric].value for a, b in pairs])
    resampled = np.mean([scores[a].resampled[metric] - scores[b].resampled[metric] for a, b in pairs], axis=0)
    parts = [part for a, b in pairs if (part := influence_of_difference(metric, scores, a, [b])) is not None]
    influence, freedom = np.mean(parts, axis=0) if parts else None, freedom_of_difference(metric, test)
    found = test.differences(by_context.mean(keepdims=True), resampled[:, None], freedom, influence)
    factor, a, b = effect
    return {
        "metric": metric,
        "factor": factor,
        "a": a,
        "b": b,
        "contexts": len(pairs),
        "difference": float(found.value[0]),
        "low": float(found.low[0]),
        "high": float(found.high[0]),
        "p": float(found.p[0]),
        "smallest": float(by_context.min()),
        "largest": float(by_context.max()),
    }
