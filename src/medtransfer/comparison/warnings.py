"""Warnings that only a comparison can give: of what taught nothing, and of what learned nothing."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medtransfer.statistics.metrics import METRICS, phrase_of
from medtransfer.study import Study
from medtransfer.util.text import in_figures

LEARNED = 0.55
"""The area under the ROC curve of a pretraining's questions, above which it has learned something."""

BLIND = "majority"
"""The baseline that looks at no image."""

MOST_NAMES = 5


def pretraining_warnings(study: Study, cards: dict[str, dict[str, Any]]) -> list[str]:
    """Warn of backbones whose simulated pretraining taught nothing: what is transferred from them is chance."""
    found: dict[str, tuple[float, list[str]]] = {}
    for name, card in cards.items():
        area = card.get("weights", {}).get("held_out_roc_auc")
        if area is not None and area < LEARNED and study.variant(name).strategy.init == "pretrained":
            found.setdefault(study.variant(name).backbone_name, (area, []))[1].append(name)
    return [
        f"PRETRAINING: {backbone} learned nothing from its simulated images (ROC-AUC {area:.2f}, where .50 is chance), "
        f"so that there is nothing to transfer to {', '.join(names)}; "
        f"backbones.{backbone}.pretraining takes more images, more epochs or another lr"
        for backbone, (area, names) in found.items()
    ]


def chance_warnings(study: Study, table: pd.DataFrame) -> list[str]:
    """Warn of trained variants whose interval reaches to what the majority baseline has: they may have learned nothing.

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
    told = ", ".join(f"{name} ({in_figures(rows.loc[name, metric])})" for name in names[:MOST_NAMES])
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return [
        f"CHANCE LEVEL: within their intervals no better than the baseline {BLIND}, which looks at no image "
        f"({phrase_of(metric)} {in_figures(blind)}): {told}{more}; what has learned nothing may need a lower "
        "lr, a warm-up (schedule.warmup) or more epochs"
    ]
