"""Regression: Bland and Altman's plots, with limits of agreement and their intervals."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.wording import value_and_interval
from medtransfer.tasks.numbers.agreement import Limits
from medtransfer.tasks.numbers.figures import draw_agreement
from medtransfer.util.plotting import panels
from medtransfer.util.text import shortened

MOST_VARIANTS, LONGEST_NAME = 4, 34
SIZE, MARGINS = (3.75, 3.6), (0.62, 0.12, 0.5, 0.3)
LINES = ("lower", "bias", "upper")


def content(material: Material) -> dict[str, Any]:
    """Draw the differences of the best variant of each backbone, and list the limits of all variants."""
    found, figures = material.found, []
    for number, name in enumerate(material.best_of_each_backbone(MOST_VARIANTS)):
        limits = limits_of(found.agreement[found.agreement["variant"] == name].iloc[0])
        rows = found.numbers[found.numbers["variant"] == name]
        figure = agreement_figure(rows, limits, name, material.unit)
        description = f"Differences of predicted and true numbers against their means, by {name}."
        figures.append(material.show(figure, f"agreement-{number}", description))
    return {
        "figures": figures,
        "rows": rows_of(material),
        "unit": material.unit,
        "confidence": f"{found.confidence:.0%}",
    }


def limits_of(row: pd.Series) -> Limits:
    """Read a row of `Comparison.agreement`."""
    lower, bias, upper = (float(row[line]) for line in LINES)
    intervals = tuple((float(row[f"{line}_low"]), float(row[f"{line}_high"])) for line in LINES)
    return Limits((lower, bias, upper), intervals)


def rows_of(material: Material) -> list[dict[str, Any]]:
    """Return the limits of each variant, the best first, as text."""
    table = material.found.agreement.set_index("variant")
    return [
        {"variant": name} | {line: value_and_interval(table.loc[name], line) for line in LINES}
        for name in material.names
    ]


def agreement_figure(rows: pd.DataFrame, limits: Limits, name: str, unit: str) -> Figure:
    """Draw one variant's rows of `Comparison.numbers`."""
    figure, (axis,) = panels(1, 1, SIZE, MARGINS)
    draw_agreement(axis, rows["truth"].to_numpy(float), rows["predicted"].to_numpy(float), unit, limits)
    axis.set_title(shortened(name, LONGEST_NAME))
    return figure


SECTIONS.register("agreement", Section(62, "Limits of agreement", content, "agreement"))
