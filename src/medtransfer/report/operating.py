"""Binary tasks: what a threshold that was chosen on validation images does on the test images."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medtransfer.report.section import Material, Section
from medtransfer.report.wording import in_figures, in_interval

SHARES = ("sensitivity", "specificity", "precision")


def operating_section(material: Material) -> Section | None:
    """List the operating points, the best variant first."""
    operating = material.found.operating
    if operating.empty:
        return None
    place = {name: number for number, name in enumerate(material.names)}
    ordered = operating.assign(place=operating["variant"].map(place)).sort_values("place", kind="stable")
    rows = [_row(row) for _, row in ordered.iterrows()]
    content = {"rows": rows, "shares": SHARES, "positive": str(operating["positive"].iloc[0])}
    return Section("operating", "Operating points", content)


def _row(row: pd.Series) -> dict[str, Any]:
    return {
        "variant": row["variant"],
        "rule": row["rule"],
        "threshold": in_figures(row["threshold"]),
        "shares": [
            (f"{row[name]:.6g}", in_figures(row[name]), in_interval(row[f"{name}_low"], row[f"{name}_high"]))
            for name in SHARES
        ],
    }
