"""Regression: predicted against true numbers."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.tasks.numbers.figures import draw_predicted
from medtransfer.util.plotting import panels
from medtransfer.util.text import shortened

MOST_VARIANTS, LONGEST_NAME = 4, 34
SIZE, MARGINS = (3.75, 3.6), (0.62, 0.12, 0.5, 0.3)


def content(material: Material) -> dict[str, Any]:
    """Draw the test images of the best variant of each backbone."""
    numbers = material.found.numbers
    figures = []
    for number, name in enumerate(material.best_of_each_backbone(MOST_VARIANTS)):
        figure = predicted_figure(numbers[numbers["variant"] == name], name, material.unit)
        description = f"Predicted against true numbers of test images, by {name}."
        figures.append(material.show(figure, f"predicted-{number}", description))
    shown = numbers[numbers["variant"].isin(material.best_of_each_backbone(MOST_VARIANTS))]
    has_intervals = shown["low"].notna().groupby(shown["variant"]).all()  # if not of each image, none is drawn
    return {"figures": figures, "intervals": bool(has_intervals.any())}


def predicted_figure(rows: pd.DataFrame, name: str, unit: str) -> Figure:
    """Draw one variant's rows of `Comparison.numbers`."""
    figure, (axis,) = panels(1, 1, SIZE, MARGINS)
    truth, predicted, low, high = (rows[column].to_numpy(float) for column in ("truth", "predicted", "low", "high"))
    draw_predicted(axis, truth, predicted, unit, (low, high))
    axis.set_title(shortened(name, LONGEST_NAME))
    return figure


SECTIONS.register("predicted_numbers", Section(60, "Predicted and true numbers", content, "numbers"))
