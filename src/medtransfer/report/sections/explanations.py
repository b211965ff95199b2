"""Explanation maps: contact sheets, and how well the maps match masks."""

from __future__ import annotations

from typing import Any

from PIL import Image

from medtransfer.comparison.text_tables import maps
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.thumbnails import as_webp
from medtransfer.report.wording import rows_of

MOST_BYTES, QUALITY = 800_000, 70
"""The size limit of all contact sheets, encoded: the page has to stay below 5 MB."""


def content(material: Material) -> dict[str, Any]:
    """Show the contact sheets of the explained variants, the best variant first, and the scores of their maps."""
    names, table = _explained(material), maps(material.found)
    sheets = _sheets(material, names)
    return {
        "table": table,
        "rows": rows_of(table, names),
        "legend": table.note.replace(" The maps are in `plots/explain`.", ""),
        "sheets": sheets,
        "left_out": len(names) - len(sheets),
    }


def _explained(material: Material) -> list[str]:
    return [name for name in material.names if name in material.found.study.params.explain.variants]


def _sheets(material: Material, names: list[str]) -> dict[str, str]:
    """Return as many contact sheets as fit, by variant."""
    sheets, left = {}, MOST_BYTES
    for name in names:
        with Image.open(material.places.contact_sheet(name)) as sheet:
            picture = as_webp(sheet.convert("RGB"), QUALITY)
        left -= len(picture)
        if left < 0:
            break
        sheets[name] = picture
    return sheets


SECTIONS.register(
    "explanations", Section(130, "Where variants look", content, lambda material: bool(_explained(material)))
)
