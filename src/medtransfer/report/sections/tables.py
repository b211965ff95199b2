"""Sections that show a table of the comparison as it is in `metrics/comparison.md`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from medtransfer.comparison.columns import TextTable
from medtransfer.comparison.results import Comparison
from medtransfer.comparison.text_tables import ensembles, operating_points
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.wording import rows_of

TEMPLATE = '<p class="lead">{{ content.note }}</p>{% include "table.html" %}'


def table_section(order: int, make: Callable[[Comparison], TextTable], shown: str) -> Section:
    """Return a section with one table and its note, the best variant first; shown: see `Section`."""

    def content(material: Material) -> dict[str, Any]:
        table = make(material.found)
        return {"table": table, "rows": rows_of(table, material.names), "note": table.note}

    return Section(order, make.__name__.replace("_", " ").capitalize(), content, shown, TEMPLATE)


SECTIONS.register("ensembles", table_section(17, ensembles, "ensembles"))
SECTIONS.register("operating_points", table_section(80, operating_points, "operating"))
