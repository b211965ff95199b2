"""What changing one part of a variant does, all else equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medtransfer.report.section import Material, Section
from medtransfer.report.table import Scale
from medtransfer.report.wording import in_figures, in_interval, p_alone, title_of


def factors_section(material: Material) -> Section | None:
    """List the effects by the study's metric, factor by factor, the largest first."""
    effects = material.found.effects
    effects = effects[effects["metric"] == material.found.metric]
    if effects.empty:
        return None
    scale = Scale.around(np.append(effects[["low", "high"]].to_numpy(float).ravel(), 0.0))
    factors = {
        factor: [_row(row, scale) for _, row in rows.sort_values("difference", key=abs, ascending=False).iterrows()]
        for factor, rows in effects.groupby("factor", sort=False)
    }
    ends = {"low": in_figures(scale.low, 2), "high": in_figures(scale.high, 2)}
    content = {"factors": factors, "scale": ends, "metric": title_of(material.found.metric)}
    return Section("factors", "What each factor changes", content)


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
