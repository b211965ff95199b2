"""Warnings of pretraining and training that had no effect."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medtransfer.statistics.metrics import METRICS, phrase_of
from medtransfer.study import Study
from medtransfer.util.text import in_figures

LEARNED = 0.55
"""The least area under the ROC curve, on held-out images, of a pretraining that has learned something."""

BLIND = "constant"
"""The baseline that ignores the image."""


def pretraining_warnings(study: Study, cards: dict[str, dict[str, Any]]) -> list[str]:
    """Warn of backbones whose simulated pretraining learned nothing, so that nothing can be transferred."""
    found: dict[str, tuple[float, list[str]]] = {}
    for name, card in cards.items():
        area = card.get("weights", {}).get("held_out_roc_auc")
        if area is not None and area < LEARNED and study.variant(name).strategy.init == "pretrained":
            found.setdefault(study.variant(name).backbone_name, (area, []))[1].append(name)
    return [
        f"PRETRAINING: {backbone} learned nothing from its simulated images (ROC-AUC {area:.2f}, where .50 is chance), "
        f"so there is nothing to transfer to {', '.join(names)}; "
        f"set more images, more epochs or another lr in backbones.{backbone}.pretraining"
        for backbone, (area, names) in found.items()
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


def _advice(study: Study, names: list[str]) -> str:
    """Return what to try for variants at chance level; heads that are fitted in one step have no learning rate."""
    from medtransfer.models.heads import HEADS  # with torch, which most comparisons do not need

    fitted = {name for name in names if HEADS[study.variants[name].strategy.head].fitted}
    trained = "try a lower lr, a warm-up (schedule.warmup) or more epochs" if fitted < set(names) else ""
    others = f"for {', '.join(name for name in names if name in fitted)} try another backbone or more images"
    return "; ".join(part for part in (trained, others if fitted else "") if part)
