"""Subgroups of the test images: each variant in each of them, and the largest gaps."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medtransfer.comparison.text_tables import subgroups_note
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.wording import cell, p_alone, text_cell
from medtransfer.statistics.metrics import title_of


def content(material: Material) -> dict[str, Any]:
    """List the study's metric of each variant by subgroup, and the largest gap of each."""
    found = material.found
    rows = found.subgroups[found.subgroups["metric"] == found.metric]
    gaps = found.gaps[found.gaps["metric"] == found.metric]
    parts = [
        {
            "title": f"{name}" if of == "home" else f"{name}, {of}",
            "levels": part.drop_duplicates("level")[["level", "images", "groups", "few"]].to_dict("records"),
            "rows": [(variant, _cells(part, gaps, variant)) for variant in material.names],
        }
        for (of, name), part in rows.groupby(["set", "subgroup"], sort=False)
    ]
    note = subgroups_note(found).split(" All metrics")[0]
    return {"parts": parts, "note": note, "title": title_of(found.metric, material.unit)}


def _cells(part: pd.DataFrame, gaps: pd.DataFrame, variant: str) -> list[Any]:
    cells: list[Any] = [cell(row, "value") for _, row in part[part["variant"] == variant].iterrows()]
    first = part.iloc[0]
    own = gaps[(gaps["set"] == first["set"]) & (gaps["subgroup"] == first["subgroup"]) & (gaps["variant"] == variant)]
    if own.empty:
        return [*cells, text_cell("–"), text_cell("–"), text_cell("–")]
    gap = own.iloc[0]
    between = text_cell(f"{gap['higher']} over {gap['lower']}")
    return [*cells, cell(gap, "gap"), between, cell(gap, "p_corrected", p_alone(gap["p_corrected"]))]


SECTIONS.register("subgroups", Section(36, "Subgroups", content, "subgroups"))
