"""The smallest difference that could be found and, with a margin, the variants that are not inferior."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medtransfer.comparison.margins import in_words, usual_detectable
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.wording import p_alone
from medtransfer.util.text import is_missing, typeset


def content(material: Material) -> dict[str, Any]:
    """List the variants with their difference from the best and what is concluded from it."""
    found = material.found
    return {
        "sentences": in_words(found.margins, found.metric, found.verdict.recommended),
        "margin": None if found.verdict.margin is None else typeset(found.verdict.margin),
        "recommended": found.verdict.recommended,
        "rows": [_row(row) for _, row in found.margins.iterrows()],
    }


def _row(row: pd.Series) -> dict[str, Any]:
    return {
        "name": row["variant"],
        **{name: typeset(row[name]) for name in ("difference", "se", "detectable")},
        **{name: p_alone(row[name]) for name in ("p_not_inferior", "p_equivalent")},
        "outcome": "" if is_missing(row["outcome"]) else row["outcome"],
    }


def _applies(material: Material) -> bool:
    return not is_missing(usual_detectable(material.found.margins))


SECTIONS.register("margins", Section(15, "Detectable differences and margin", content, _applies))
