"""Means of the predictions of several variants, or of several views, next to single ones."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medtransfer.comparison.ensembles import ensembles_note
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.wording import in_interval, p_alone, three_digits
from medtransfer.statistics.metrics import title_of
from medtransfer.util.text import typeset


def content(material: Material) -> dict[str, Any]:
    """List the ensembles with their metrics, difference from the best single variant and cost."""
    found = material.found
    return {
        "note": ensembles_note(found.ensembles, found.metric),
        "titles": [title_of(name, material.unit) for name in found.metrics],
        "rows": [_row(row, found.metrics) for _, row in found.ensembles.iterrows()],
    }


def _row(row: pd.Series, metrics: tuple[str, ...]) -> dict[str, Any]:
    names = (*metrics, "difference")
    values = [(typeset(row[name]), in_interval(row[f"{name}_low"], row[f"{name}_high"])) for name in names]
    costs = [three_digits(row[name] / 1e6) for name in ("parameters", "multiply_adds")]
    return {
        "name": row["ensemble"],
        "members": row["members"],
        "values": values,
        "p": p_alone(row["p_corrected"]),
        "costs": costs,
    }


SECTIONS.register("ensembles", Section(17, "Ensembles", content, "ensembles"))
