"""Margins: which variants are not inferior to the best, and the smallest difference that the test set could find."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medtransfer.comparison.results import MARGINS
from medtransfer.statistics.margins import detectable_difference, not_inferior_p, not_inferior_to_any_p
from medtransfer.statistics.metrics import METRICS, phrase_of
from medtransfer.statistics.paired_tests import holm
from medtransfer.util.text import in_figures

COST = ("multiply_adds", "parameters", "trainable_parameters")
"""The columns that rank variants by cost: arithmetic of a prediction; if equal, size of the model, then trained part.

Unlike seconds, they are the same on every machine.
"""


def margin_table(
    table: pd.DataFrame, pairs: pd.DataFrame, metric: str, margin: float | None, confidence: float
) -> pd.DataFrame:
    """Judge every variant against the best and, with a margin, against all others; see `Comparison.margins`.

    table, pairs: those of `Comparison`.
    """
    rows = table[table["kind"] == "variant"].set_index("variant")
    names = list(rows.index)
    gain, error, freedom = _gains(names, pairs[pairs["metric"] == metric], METRICS[metric].lower_is_better)
    level, best = 1 - confidence, 0  # the table is ordered
    number_of_tests = max(len(names) * (len(names) - 1) // 2, 1)
    found = pd.DataFrame({"variant": names, "margin": np.nan if margin is None else margin})
    found["difference"] = rows["difference_to_best"].to_numpy(float)
    found["se"] = error[:, best]
    found["detectable"] = detectable_difference(error[:, best], freedom[:, best], level / number_of_tests)
    found["worse"] = ~rows["tied_with_best"].to_numpy(bool)
    found = found.reindex(columns=list(MARGINS))
    if margin is None or len(names) < 2:
        return found
    p = not_inferior_p(gain, error, freedom, margin)
    not_inferior = not_inferior_to_any_p(p)
    equivalent = np.where(np.arange(len(names)) == best, np.nan, np.maximum(not_inferior, p[best]))
    found["p_not_inferior"], found["p_equivalent"] = holm(not_inferior), holm(equivalent)
    found["not_inferior"], found["equivalent"] = found["p_not_inferior"] < level, found["p_equivalent"] < level
    shown = [found["equivalent"], found["not_inferior"], found["worse"]]
    found["outcome"] = np.select(shown, ["equivalent", "not inferior", "worse"], "undecided")
    found.loc[best, "outcome"] = "best"
    return found


def _gains(names: list[str], pairs: pd.DataFrame, lower_is_better: bool) -> tuple[np.ndarray, ...]:
    """Return by how much each variant (rows) is better than each other (columns), its error and degrees of freedom."""
    place = {name: number for number, name in enumerate(names)}
    gain, error, freedom = np.zeros((3, len(names), len(names)))
    a, b = (pairs[side].map(place).to_numpy(int) for side in ("a", "b"))
    better = pairs["difference"].to_numpy(float) * (-1 if lower_is_better else 1)
    gain[a, b], gain[b, a] = better, -better
    error[a, b] = error[b, a] = pairs["se"].to_numpy(float)
    freedom[a, b] = freedom[b, a] = pairs["freedom"].to_numpy(float)
    np.fill_diagonal(error, np.nan)
    return gain, error, freedom


def recommended(margins: pd.DataFrame, table: pd.DataFrame) -> str:
    """Return the cheapest of the best variant and those that are not inferior, by `COST`; empty without a margin."""
    if margins["outcome"].isna().all():
        return ""
    names = margins.loc[(margins["outcome"] == "best") | margins["not_inferior"].eq(True), "variant"]
    rows = table[(table["kind"] == "variant") & table["variant"].isin(names)]
    return str(rows.sort_values(list(COST), kind="stable", na_position="last")["variant"].iloc[0])


def usual_detectable(margins: pd.DataFrame) -> float:
    """Return the median over the variants of the difference from the best that would be found; nan for a lone one."""
    return float(margins["detectable"].median())


def in_words(margins: pd.DataFrame, metric: str, recommendation: str) -> list[str]:
    """Return sentences on what the test set could find and, with a margin, which variant is recommended."""
    smallest, sentences = usual_detectable(margins), []
    if np.isfinite(smallest):
        sentences.append(
            f"Smallest detectable difference: a true difference from the best of {in_figures(smallest)} in "
            f"{phrase_of(metric)} would be found with a power of 80 % (median over the variants, corrected for all "
            "pairs)."
        )
    if not recommendation or margins.empty:
        return sentences
    margin, others = in_figures(margins["margin"].iloc[0]), margins[margins["outcome"] != "best"]
    sentences.append(
        f"Margin {margin}: not inferior means that no other variant is better by {margin} or more, equivalent that the "
        f"best is not worse by {margin} or more either (one-sided t tests against every other variant, Holm's rule "
        "over the variants); worse and undecided variants may be inferior."
    )
    if not others["not_inferior"].eq(True).any():
        told = f"no other variant has been shown to be within {margin}, so the best is recommended"
    elif recommendation == margins["variant"].iloc[0]:
        told = "the best is also the cheapest of the variants that are not inferior"
    else:
        told = "the cheapest of the variants that are not inferior"
    sentences.append(f"Recommended: {recommendation}, {told} (by multiply-adds for each image, then parameters).")
    return sentences
