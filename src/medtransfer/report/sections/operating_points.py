"""Binary tasks: test results at thresholds that were chosen on validation images."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.wording import valued
from medtransfer.util.text import typeset

SHARES = ("sensitivity", "specificity", "precision")


def content(material: Material) -> dict[str, Any]:
    """List the operating points, those of the best variant first."""
    operating = material.found.operating
    place = {name: number for number, name in enumerate(material.names)}
    ordered = operating.assign(place=operating["variant"].map(place)).sort_values("place", kind="stable")
    rows = [_row(row) for _, row in ordered.iterrows()]
    return {"rows": rows, "shares": SHARES, "positive": str(operating["positive"].iloc[0])}


def _row(row: pd.Series) -> dict[str, Any]:
    return {
        "variant": row["variant"],
        "rule": row["rule"],
        "threshold": typeset(row["threshold"]),
        "shares": [valued(row, name) for name in SHARES],
    }


SECTIONS.register(
    "operating_points", Section(80, "Operating points", content, lambda material: not material.found.operating.empty)
)
