"""Warnings of training that is no better than a baseline, of scores that fall on test images, and of unequal tuning."""

from __future__ import annotations

import pandas as pd

from medtransfer.statistics.metrics import METRICS, phrase_of
from medtransfer.study import Study
from medtransfer.util.text import in_figures

BLIND = "constant"
"""The baseline that ignores the image."""
KINDS = ("variant", "baseline")
MOST_NAMED = 3


def promise_warnings(study: Study, table: pd.DataFrame) -> list[str]:
    """Warn of variants that are better on validation images than their interval on test images allows.

    table: see `Comparison.table`.
    """
    metric = study.params.comparison.metric
    rows = table[table["kind"] == "variant"].set_index("variant")
    promised = rows[f"{metric}_validation"]
    lower = METRICS[metric].lower_is_better
    names = list(rows.index[promised < rows[f"{metric}_low"] if lower else promised > rows[f"{metric}_high"]])
    if not names:
        return []
    told = ", ".join(
        f"{name} ({in_figures(promised[name])} and {in_figures(rows.loc[name, metric])})" for name in names
    )
    return [
        f"VALIDATION: {phrase_of(metric)} on validation images is better than the interval on test images allows: "
        f"{told}; test images may differ from the others (see metrics/data.md), or too much was chosen on "
        "validation images"
    ]


def chance_warnings(study: Study, table: pd.DataFrame) -> list[str]:
    """Warn of trained variants whose interval reaches the constant baseline: they may have learned nothing.

    table: see `Comparison.table`.
    """
    metric = study.params.comparison.metric
    rows = table[table["kind"] != "published"].set_index("variant")
    blind = rows.loc[BLIND, metric]
    reaches = rows[f"{metric}_high"] >= blind if METRICS[metric].lower_is_better else rows[f"{metric}_low"] <= blind
    trained = [name for name, line in study.variants.items() if line.strategy.train != "none"]
    names = [name for name in rows.index[reaches][::-1] if name in trained]  # the worst first
    if not names:
        return []
    told = ", ".join(f"{name} ({in_figures(rows.loc[name, metric])})" for name in names)
    return [
        f"CHANCE LEVEL: not distinguishable from the baseline {BLIND}, which ignores the image "
        f"({phrase_of(metric)} {in_figures(blind)}): {told}; {_advice(study, names)}"
    ]


def baseline_warnings(study: Study, table: pd.DataFrame) -> list[str]:
    """Warn of baselines other than the constant one that no variant reaches; see `chance_warnings` for that one.

    table: see `Comparison.table`.
    """
    metric = study.params.comparison.metric
    sign = -1 if METRICS[metric].lower_is_better else 1
    worth = sign * table.set_index("variant")[metric]
    of_kind = {kind: worth[(table["kind"] == kind).to_numpy()].drop(BLIND, errors="ignore").dropna() for kind in KINDS}
    if any(found.empty for found in of_kind.values()):
        return []
    (best, value), (baseline, reached) = ((found.idxmax(), found.max()) for found in of_kind.values())
    if reached <= value:
        return []
    return [
        f"BASELINE: {baseline} ({phrase_of(metric)} {in_figures(sign * reached)}) is better than every variant; the "
        f"best is {best} ({in_figures(sign * value)}); test images may have copies among the training images (see "
        "metrics/data.md), or the variants are trained too little"
    ]


def _advice(study: Study, names: list[str]) -> str:
    """Return remedies for variants at chance level; heads that are fitted in one step have no learning rate."""
    from medtransfer.models.heads import HEADS  # with torch, which most comparisons do not need

    fitted = {name for name in names if HEADS[study.variants[name].strategy.head].fitted}
    trained = "try a lower lr, a warm-up (schedule.warmup) or more epochs" if fitted < set(names) else ""
    others = f"for {', '.join(name for name in names if name in fitted)} try another backbone or more images"
    return "; ".join(part for part in (trained, others if fitted else "") if part)


def budget_warnings(study: Study) -> list[str]:
    """Warn of variants that were tuned by fewer trainings than others; heads fitted in one step have none."""
    if all(variant.strategy.trials == 1 for variant in study.variants.values()):
        return []
    from medtransfer.models.heads import HEADS  # with torch, which most comparisons do not need

    budgets: dict[int, list[str]] = {}
    for name, variant in study.variants.items():
        if variant.strategy.train != "none" and not HEADS[variant.strategy.head].fitted:
            budgets.setdefault(variant.strategy.trials, []).append(name)
    if len(budgets) == 1:
        return []
    told = "; ".join(
        f"{trials} for {', '.join(names[:MOST_NAMED])}{', …' if len(names) > MOST_NAMED else ''}"
        for trials, names in sorted(budgets.items(), reverse=True)
    )
    return [
        f"TUNING: variants were not tuned alike; trainings per run: {told}; part of a difference between them may be "
        "due to tuning (use a search with the same number of trials in their strategies)"
    ]
