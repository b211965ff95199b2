"""Where variants look: contact sheets of their maps, and how well these point at what masks show."""

from __future__ import annotations

from typing import Any

import pandas as pd
from PIL import Image

from medtransfer.comparison.maps import maps_legend
from medtransfer.report.section import Material, Section
from medtransfer.report.thumbnails import as_webp
from medtransfer.report.wording import in_figures, in_interval
from medtransfer.study import METHODS

FIGURES = [f"{name}{of}" for name in ("pointing_game", "energy_inside") for of in ("", "_untrained", "_gain")]
FIGURES += ["likeness_to_untrained"]
MOST_BYTES, QUALITY = 800_000, 70
"""Of all sheets together: the page has to stay under 5 MB."""


def maps_section(material: Material) -> Section | None:
    """Show the sheets of the variants that are explained, the best variant first, and the scores of their maps."""
    explained = material.found.study.params.explain.variants
    names = [name for name in material.names if name in explained]
    if not names:
        return None
    maps = material.found.maps
    rows = [_row(row) for name in names for _, row in maps[maps["variant"] == name].iterrows()]
    sheets = _sheets(material, names)
    content = {
        "rows": rows,
        "legend": maps_legend(maps).replace(" The maps: `plots/explain`.", ""),
        "sheets": sheets,
        "left_out": len(names) - len(sheets),
    }
    return Section("maps", "Where variants look", content)


def _sheets(material: Material, names: list[str]) -> list[tuple[str, str]]:
    """Give the names and pictures of as many sheets as fit."""
    sheets, left = [], MOST_BYTES
    for name in names:
        with Image.open(material.places.contact_sheet(name)) as sheet:
            picture = as_webp(sheet.convert("RGB"), QUALITY)
        left -= len(picture)
        if left < 0:
            break
        sheets.append((name, picture))
    return sheets


def _row(row: pd.Series) -> dict[str, Any]:
    return {
        "variant": row["variant"],
        "method": METHODS[row["method"]],
        "figures": [
            (f"{row[name]:.6g}", in_figures(row[name]), in_interval(row[f"{name}_low"], row[f"{name}_high"]))
            for name in FIGURES
        ],
    }
