"""The comparison as one row a variant, beside the baselines and the published figures."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medtransfer.comparison.bootstrap import percentile_interval
from medtransfer.comparison.scores import HEADLINE, Scores
from medtransfer.comparison.ties import Difference
from medtransfer.evaluation.names import CLASS_METRICS
from medtransfer.study import Reference, Study

FURTHER = tuple(name for name in CLASS_METRICS if name not in HEADLINE)
"""Metrics that stand in the table as the mean over runs, without an interval."""

FACTORS = ("backbone", "strategy", "augmentation")
SIZES = ("parameters", "trainable_parameters", "multiply_adds")


def variant_row(
    study: Study, name: str, scores: Scores, further: dict[str, float | None], card: dict[str, Any] | None
) -> dict[str, Any]:
    """Make the row of a variant, or of a baseline where `card` is None."""
    row: dict[str, Any] = {"variant": name, "kind": "baseline" if card is None else "variant"}
    if card is not None:
        line = study.variant(name)
        row |= dict(zip(FACTORS, (line.backbone_name, line.strategy_name, line.augmentation_name), strict=True))
        row["runs"] = len(card["runs"])
    confidence = study.params.comparison.confidence
    for metric in HEADLINE:
        low, high = percentile_interval(scores.resampled[metric], confidence)
        row |= {metric: scores.value[metric], f"{metric}_sd": scores.spread[metric]}
        row |= {f"{metric}_low": low, f"{metric}_high": high}
    row |= {metric: further[metric] for metric in FURTHER}
    return row | ({size: card[size] for size in SIZES} if card is not None else {})


def difference_columns(name: str, found: dict[str, Difference]) -> dict[str, Any]:
    """Give the columns that say how far a row is from the best one."""
    if name not in found:
        return {}
    difference = found[name]
    return {
        "difference_to_best": difference.value,
        "difference_low": difference.low,
        "difference_high": difference.high,
        "p_corrected": difference.p,
        "tied_with_best": difference.tied,
    }


def published_rows(reference: Reference | None) -> list[dict[str, Any]]:
    """Make a row of each published line of figures."""
    if reference is None:
        return []
    return [
        {"variant": name, "kind": "published", **figures, "source": reference.source}
        for name, figures in reference.rows.items()
    ]


def order_rows(rows: list[dict[str, Any]], metric: str) -> pd.DataFrame:
    """Put the rows into a table: variants, baselines, published, each from the best to the worst."""
    table = pd.DataFrame(rows)
    rank = table["kind"].map({"variant": 0, "baseline": 1, "published": 2})
    keys = pd.DataFrame({"kind": rank, "value": -table[metric].fillna(-1.0)})
    ordered = table.loc[keys.sort_values(["kind", "value"], kind="stable").index].reset_index(drop=True)
    first = ["variant", "kind", *FACTORS, "runs"]
    return ordered[[*first, *(name for name in ordered if name not in first)]]


def best_of_each_backbone(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the best variant of each backbone, in the order of an ordered table."""
    return table[table["kind"] == "variant"].drop_duplicates("backbone")


def is_tied(row: pd.Series) -> bool:
    """Say whether a row is marked as tied with the best; baselines and published rows never are."""
    return row.get("tied_with_best") in (True,)
