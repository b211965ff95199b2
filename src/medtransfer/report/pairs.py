"""Two variants that the reader chooses: their difference, what each confuses, what only one gets right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from medtransfer.evaluation.figures import LONGEST_NAME, draw_confusion
from medtransfer.plotting import panels
from medtransfer.report.calibration import reliability_figure
from medtransfer.report.images import image_choice
from medtransfer.report.section import Material, Section, best_of_each_backbone
from medtransfer.report.svg import inline_svg
from medtransfer.report.wording import phrase_of

MOST_VARIANTS = 40
"""The best ones: with more, the page would no longer open at once."""

LETTER = 0.056
"""Inches that a letter of a class's name takes."""


def pairs_section(material: Material) -> Section | None:
    """Prepare what the page's script shows of any two variants."""
    names = material.names[:MOST_VARIANTS]
    if len(names) < 2:
        return None
    material.script.update(
        compared=names,
        metric=phrase_of(material.found.metric),
        pairs=_differences(material.found.pairs, names, material.found.metric),
        **image_choice(material, names),
    )
    firsts = [name for name in best_of_each_backbone(material) if name in names]
    second = firsts[1] if len(firsts) > 1 else names[1]
    content = {
        "names": names,
        "chosen": {"a": 0, "b": names.index(second)},
        "details": [_details(material, name, number) for number, name in enumerate(names)],
        "left_out": len(material.names) - len(names),
        "images": bool(material.script["images"]),
    }
    return Section("pairs", "Two variants side by side", content)


def confusion_figure(confusion: pd.DataFrame, classes: tuple[str, ...]) -> Figure:
    """Draw one variant's confusion matrix; its size grows with the classes."""
    longest = min(max(map(len, classes)), LONGEST_NAME)
    side, names = float(np.clip(0.21 * len(classes), 2.0, 8.0)), LETTER * longest
    left, bottom = names + 0.35, 0.72 * names + 0.38
    figure, (axis,) = panels(1, 1, (left + side + 0.1, bottom + side + 0.1), (left, 0.1, bottom, 0.1))
    counts = confusion.pivot_table(index="label", columns="predicted", values="count", aggfunc="sum", fill_value=0)
    matrix = counts.reindex(index=classes, columns=classes, fill_value=0).to_numpy()
    draw_confusion(axis, matrix, list(classes))
    return figure


def _details(material: Material, name: str, number: int) -> list[tuple[str, Markup]]:
    found = material.found
    details = []
    confusion = found.confusion[found.confusion["variant"] == name]
    if len(confusion):
        figure = confusion_figure(confusion, found.classes)
        title = "Confusion, in percent of a label's images"
        details.append((title, inline_svg(figure, f"confusion-{number}", f"Confusion matrix of {name}")))
    reliability = found.reliability[found.reliability["variant"] == name]
    if len(reliability):
        figure = reliability_figure(reliability, "")
        details.append(("Reliability", inline_svg(figure, f"believed-{number}", f"Reliability diagram of {name}")))
    return details


def _differences(pairs: pd.DataFrame, names: list[str], metric: str) -> dict[str, list[Any]]:
    """Give difference, interval, corrected p value of each pair, by the numbers of both, the smaller first."""
    place = {name: number for number, name in enumerate(names)}
    found = {}
    for _, row in pairs[pairs["metric"] == metric].iterrows():
        if row["a"] not in place or row["b"] not in place:
            continue
        a, b = place[row["a"]], place[row["b"]]
        values = [row["difference"], row["low"], row["high"]]
        if a > b:
            values = [-row["difference"], -row["high"], -row["low"]]
        numbers = [*(round(float(value), 4) for value in values), float(f"{row['p_corrected']:.3g}")]
        found[f"{min(a, b)} {max(a, b)}"] = [*numbers, bool(row["different"])]
    return found
