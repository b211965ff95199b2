"""What each variant makes of each class."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medtransfer.report.section import Material, Section
from medtransfer.report.wording import in_figures, in_interval, is_missing

MEASURES = {"recall": "Recall (sensitivity)", "precision": "Precision", "f1": "F1"}


def per_class_section(material: Material) -> Section | None:
    """Make one table a measure, of which the reader chooses one: a row a variant, a column a class."""
    per_class = material.found.per_class
    if per_class.empty:
        return None
    classes = list(dict.fromkeys(per_class["class"]))
    images = per_class.drop_duplicates("class").set_index("class")["images"]
    names = [name for name in material.names if name in set(per_class["variant"])]
    names += [name for name in dict.fromkeys(per_class["variant"]) if name not in names]
    rows = {(row["variant"], row["class"]): row for _, row in per_class.iterrows()}
    tables = {
        measure: [(name, [_cell(rows.get((name, each)), measure) for each in classes]) for name in names]
        for measure in MEASURES
    }
    content = {"measures": MEASURES, "tables": tables, "classes": [(name, int(images[name])) for name in classes]}
    return Section("classes", "Class by class", content)


def _cell(row: pd.Series | None, measure: str) -> dict[str, Any]:
    if row is None or is_missing(row[measure]):
        return {"value": "", "text": "–", "interval": ""}
    interval = in_interval(row.get(f"{measure}_low"), row.get(f"{measure}_high"), digits=2)
    return {"value": f"{row[measure]:.4g}", "text": in_figures(row[measure], 2), "interval": interval}
