"""The effect of changing one factor of a variant, all else equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medtransfer.report.bars import Scale
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.wording import p_alone
from medtransfer.statistics.metrics import phrase_of
from medtransfer.util.text import typeset


def content(material: Material) -> dict[str, Any]:
    """List the effects on the study's metric, grouped by factor, the largest first."""
    effects = oriented(_effects(material)).sort_values("difference", ascending=False, kind="stable")
    scale = Scale.around(np.append(effects[["low", "high"]].to_numpy(float).ravel(), 0.0))
    factors = {
        factor: [_row(row, scale) for _, row in rows.iterrows()]
        for factor, rows in effects.groupby("factor", sort=False)
    }
    return {"factors": factors, "scale": scale.ends, "metric": phrase_of(material.found.metric, material.unit)}


def oriented(effects: pd.DataFrame) -> pd.DataFrame:
    """Swap the levels of pairs with a negative difference, so that the better level comes first."""
    swapped = effects.rename(
        columns={"a": "b", "b": "a", "low": "high", "high": "low", "smallest": "largest", "largest": "smallest"}
    )
    signed = ["difference", "low", "high", "smallest", "largest"]
    swapped[signed] = -swapped[signed]
    return effects.where(effects["difference"] >= 0, swapped[effects.columns])


def _effects(material: Material) -> pd.DataFrame:
    effects = material.found.effects
    return effects[effects["metric"] == material.found.metric]


def _row(row: pd.Series, scale: Scale) -> dict[str, Any]:
    return scale.cell(row["difference"], row["low"], row["high"], zero=0.0) | {
        "a": row["a"],
        "b": row["b"],
        "contexts": int(row["contexts"]),
        "p": p_alone(row["p_corrected"]),
        "range": f"{typeset(row['smallest'])} to {typeset(row['largest'])}",
    }


SECTIONS.register(
    "factors", Section(30, "Effect of each factor", content, lambda material: not _effects(material).empty)
)
