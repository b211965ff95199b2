"""The main table of a comparison: one row per variant, baseline and published result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.comparison.inputs import StageOutputs
from medtransfer.comparison.margins import recommended
from medtransfer.comparison.results import PUBLISHED, Verdict
from medtransfer.comparison.scores import Scores
from medtransfer.statistics.metrics import METRICS
from medtransfer.study import Study

FACTORS = ("backbone", "strategy", "augmentation")
SIZES = ("parameters", "trainable_parameters", "multiply_adds")


def comparison_table(
    study: Study, scores: dict[str, Scores], promised: dict[str, float], pairs: pd.DataFrame, outputs: StageOutputs
) -> pd.DataFrame:
    """Make the table of variants, baselines and published results; see `Comparison.table`.

    promised: the value of the study's metric on validation rows.
    """
    metric = study.params.comparison.metric
    values = {name: scores[name].estimates[metric].value for name in study.variants}
    best = min(values, key=lambda name: METRICS[metric].sort_key(values[name]))
    to_best = differences_to(best, pairs[pairs["metric"] == metric])
    rows = []
    for name, found in scores.items():
        row: dict[str, Any] = {"variant": name, "kind": "variant" if name in study.variants else "baseline"}
        if name in study.variants:
            line, card = study.variant(name), outputs.cards[name]
            row |= dict(zip(FACTORS, (line.backbone_name, line.strategy_name, line.augmentation_name), strict=True))
            row |= {"runs": len(card["runs"])} | {size: card[size] for size in SIZES} | to_best[name]
        further = {key: value for key, value in outputs.metrics[name]["mean"].items() if key not in found.estimates}
        for each, estimate in found.estimates.items():
            row |= {each: estimate.value, f"{each}_sd": estimate.spread, f"{each}_se": estimate.error}
            row |= estimate.columns(each)
        rows.append(row | further | {f"{metric}_validation": promised[name]})
    if (reference := study.params.comparison.reference) is not None:
        for name, figures in reference.rows.items():
            rows.append({"variant": name, "kind": "published", **figures, "source": reference.source})
    return _in_order(rows, metric)


def differences_to(best: str, pairs: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return each variant's difference to the best, and whether they are tied, from the pairs of one metric."""
    names = ("difference_to_best", "difference_low", "difference_high", "p_corrected", "tied_with_best")
    found: dict[str, dict[str, Any]] = {best: dict(zip(names, (0.0, 0.0, 0.0, 1.0, True), strict=True))}
    for row in pairs[(pairs["a"] == best) | (pairs["b"] == best)].to_dict("records"):
        other, sign = (row["b"], -1) if row["a"] == best else (row["a"], 1)
        low, high = sorted((sign * row["low"], sign * row["high"]))
        values = (sign * row["difference"], low, high, row["p_corrected"], not row["different"])
        found[other] = dict(zip(names, values, strict=True))
    return found


def published_table(table: pd.DataFrame) -> pd.DataFrame:
    """Compare every published value with ours; see `Comparison.published`."""
    ours = table[table["kind"] == "variant"].set_index("variant")
    rows = []
    for _, line in table[table["kind"] == "published"].dropna(axis=1, how="all").iterrows():
        own = ours.loc[line["variant"]] if line["variant"] in ours.index else pd.Series(dtype=float)
        for metric, value in line.drop(["variant", "kind", "source"]).dropna().items():
            low, high = own.get(f"{metric}_low", np.nan), own.get(f"{metric}_high", np.nan)
            figures = {"published": value, "ours": own.get(metric, np.nan), "low": low, "high": high}
            differs = bool(value < low or value > high)
            rows.append(
                {"variant": line["variant"], "metric": metric, "source": line["source"], "differs": differs} | figures
            )
    return pd.DataFrame(rows, columns=PUBLISHED)


def verdict_of(table: pd.DataFrame, metric: str, margins: pd.DataFrame) -> Verdict:
    """Summarise the comparison table and the table of margins."""
    variants, margin = table[table["kind"] == "variant"], margins["margin"].iloc[0]
    not_inferior = margins[margins["not_inferior"].eq(True) & (margins["outcome"] != "best")]
    best, others = variants.iloc[0], variants.iloc[1:]
    return Verdict(
        metric=metric,
        best=best["variant"],
        value=float(best[metric]),
        low=float(best[f"{metric}_low"]),
        high=float(best[f"{metric}_high"]),
        tied=tuple(row["variant"] for _, row in others.iterrows() if is_tied(row)),
        worse={row["variant"]: float(row["p_corrected"]) for _, row in others.iterrows() if not is_tied(row)},
        margin=None if np.isnan(margin) else float(margin),
        not_inferior=tuple(not_inferior["variant"]),
        recommended=recommended(margins, table),
    )


def best_of_each_backbone(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the best variant of each backbone, in the order of an ordered table."""
    return table[table["kind"] == "variant"].drop_duplicates("backbone")


def is_tied(row: Mapping[str, Any] | pd.Series) -> bool:
    """Return whether a row is marked as tied with the best; baselines and published rows never are."""
    return row.get("tied_with_best") in (True,)


def _in_order(rows: list[dict[str, Any]], metric: str) -> pd.DataFrame:
    """Sort the rows: variants, baselines, published, each from the best to the worst."""
    table = pd.DataFrame(rows)
    rank = table["kind"].map({"variant": 0, "baseline": 1, "published": 2})
    keys = pd.DataFrame({"kind": rank, "value": METRICS[metric].sort_key(table[metric]).fillna(np.inf)})
    ordered = table.loc[keys.sort_values(["kind", "value"], kind="stable").index].reset_index(drop=True)
    first = ["variant", "kind", *FACTORS, "runs"]
    last = [*SIZES, *(name for name in ordered if name.startswith("difference_")), "p_corrected", "tied_with_best"]
    last += ["source"] if "source" in ordered else []
    return ordered[[*first, *(name for name in ordered if name not in {*first, *last}), *last]]
