"""Recall, precision and F1 of each variant for each class."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.wording import in_interval
from medtransfer.util.text import is_missing, typeset

MEASURES = {"recall": "Recall (sensitivity)", "precision": "Precision", "f1": "F1"}


def content(material: Material) -> dict[str, Any]:
    """Make one table per measure, with one row per variant and one column per class; the reader selects one."""
    per_class = material.found.per_class
    classes = list(dict.fromkeys(per_class["class"]))
    images = per_class.drop_duplicates("class").set_index("class")["images"]
    scored = dict.fromkeys(per_class["variant"])
    names = dict.fromkeys([*(name for name in material.names if name in scored), *scored])
    rows = {(row["variant"], row["class"]): row for _, row in per_class.iterrows()}
    tables = {
        measure: [(name, [_cell(rows.get((name, each)), measure) for each in classes]) for name in names]
        for measure in MEASURES
    }
    return {"measures": MEASURES, "tables": tables, "classes": [(name, int(images[name])) for name in classes]}


def _cell(row: pd.Series | None, measure: str) -> dict[str, Any]:
    if row is None or is_missing(row[measure]):
        return {"value": "", "text": "–", "interval": ""}
    interval = in_interval(row.get(f"{measure}_low"), row.get(f"{measure}_high"), digits=2)
    return {"value": f"{row[measure]:.4g}", "text": typeset(row[measure], 2), "interval": interval}


SECTIONS.register("classes", Section(50, "Results by class", content, "per_class"))
