"""What the searches of the variants tried, and whether all variants were tuned alike."""

from __future__ import annotations

import pandas as pd

from medtransfer.comparison.results import TRIALS
from medtransfer.study import Study
from medtransfer.util.places import Places

FILE = "trials.csv"
MOST_NAMED = 3


def trials_table(study: Study, places: Places) -> pd.DataFrame:
    """Read the trials of all variants with a search; see `Comparison.trials`."""
    found = [
        pd.read_csv(places.model(name) / FILE).assign(variant=name)
        for name, variant in study.variants.items()
        if variant.strategy.trials > 1
    ]
    if not found:
        return pd.DataFrame(columns=TRIALS)
    table = pd.concat(found, ignore_index=True)
    return table[[*TRIALS, *(column for column in table if column not in TRIALS)]]


def budget_warnings(study: Study) -> list[str]:
    """Warn of variants that were tuned by fewer trainings than others; what is fitted in one step has no budget."""
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
        "that of tuning (give their strategies a search with the same trials)"
    ]
