"""What changing one part of a variant does, all else equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medtransfer.report.section import Material, Section
from medtransfer.report.table import Scale
from medtransfer.report.wording import in_figures, in_interval, p_alone
from medtransfer.statistics.metrics import phrase_of


def factors_section(material: Material) -> Section | None:
    """List the effects by the study's metric, factor by factor, the largest first."""
    effects = material.found.effects
    effects = effects[effects["metric"] == material.found.metric]
    if effects.empty:
        return None
    effects = upwards(effects).sort_values("difference", ascending=False, kind="stable")
    scale = Scale.around(np.append(effects[["low", "high"]].to_numpy(float).ravel(), 0.0))
    factors = {
        factor: [_row(row, scale) for _, row in rows.iterrows()]
        for factor, rows in effects.groupby("factor", sort=False)
    }
    ends = {"low": in_figures(scale.low, 2), "high": in_figures(scale.high, 2)}
    content = {"factors": factors, "scale": ends, "metric": phrase_of(material.found.metric, material.unit)}
    return Section("factors", "What each factor changes", content)


def upwards(effects: pd.DataFrame) -> pd.DataFrame:
    """Turn the pairs of levels whose difference is negative around, so that the better level stands first."""
    turned = effects.rename(
        columns={"a": "b", "b": "a", "low": "high", "high": "low", "smallest": "largest", "largest": "smallest"}
    )
    signed = ["difference", "low", "high", "smallest", "largest"]
    turned[signed] = -turned[signed]
    return effects.where(effects["difference"] >= 0, turned[effects.columns])


def _row(row: pd.Series, scale: Scale) -> dict[str, Any]:
    return {
        "a": row["a"],
        "b": row["b"],
        "contexts": int(row["contexts"]),
        "text": in_figures(row["difference"]),
        "interval": in_interval(row["low"], row["high"]),
        "point": scale.place(row["difference"]),
        "left": scale.place(row["low"]),
        "width": round(scale.place(row["high"]) - scale.place(row["low"]), 1),
        "zero": scale.place(0.0),
        "p": p_alone(row["p_corrected"]),
        "range": f"{in_figures(row['smallest'])} to {in_figures(row['largest'])}",
    }
