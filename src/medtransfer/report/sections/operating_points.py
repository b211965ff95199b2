"""Binary tasks: test results at thresholds that were chosen on validation images."""

from __future__ import annotations

from typing import Any

from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.wording import cell, text_cell

SHARES = ("sensitivity", "specificity", "precision")


def content(material: Material) -> dict[str, Any]:
    """List the operating points, those of the best variant first."""
    operating = material.found.operating
    place = {name: number for number, name in enumerate(material.names)}
    ordered = operating.assign(place=operating["variant"].map(place)).sort_values("place", kind="stable")
    rows = [
        (row["variant"], [text_cell(row["rule"]), *(cell(row, name) for name in ("threshold", *SHARES))])
        for _, row in ordered.iterrows()
    ]
    return {"rows": rows, "shares": SHARES, "positive": str(operating["positive"].iloc[0])}


SECTIONS.register("operating_points", Section(80, "Operating points", content, "operating"))
