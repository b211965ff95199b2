"""Two variants that the reader chooses: their difference, what each confuses, what only one gets right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medtransfer.report.calibration import FORMS, reliability_figure
from medtransfer.report.images import image_choice
from medtransfer.report.mask_images import mask_choice
from medtransfer.report.section import Material, Section, best_of_each_backbone
from medtransfer.report.svg import inline_svg
from medtransfer.report.wording import is_missing
from medtransfer.statistics.metrics import title_of
from medtransfer.tasks.classes.figures import LEAST_WRITTEN

MOST_VARIANTS = 40
"""The best ones: with more, the page would no longer open at once."""

FURTHER_TESTS = {
    "mcnemar_p": "McNemar's test",
    "delong_p": "DeLong's test",
    "resampled_t_p": "corrected resampled t-test",
}
"""Tests that stand beside the one that decides, by their columns."""

MOST_CLASSES, MOST_CONFUSIONS = 30, 15
"""With more classes, the commonest mistakes stand in the place of the matrix."""


def pairs_section(material: Material) -> Section | None:
    """Prepare what the page's script shows of any two variants."""
    names = material.names[:MOST_VARIANTS]
    if len(names) < 2:
        return None
    table, metrics = material.found.table, material.found.metrics
    values = table[table["kind"] == "variant"].set_index("variant").loc[names, list(metrics)]
    material.script.update(
        compared=names,
        metrics=[title_of(metric, material.unit) for metric in metrics],
        values=[[_number(value) for value in row] for row in values.to_numpy(float)],
        pairs=_differences(material.found.pairs, names, metrics),
        **image_choice(material, names),
        **mask_choice(material, names),
    )
    firsts = [name for name in best_of_each_backbone(material) if name in names]
    second = firsts[1] if len(firsts) > 1 else names[1]
    content = {
        "names": names,
        "chosen": {"a": 0, "b": names.index(second)},
        "forms": [(label, colour) for _, label, _, colour in FORMS],
        "details": [_details(material, name, number) for number, name in enumerate(names)],
        "masks": bool(material.script["masks"]),
        "left_out": len(material.names) - len(names),
        "images": bool(material.script["images"] or material.script["masks"]),
    }
    return Section("pairs", "Two variants side by side", content)


def confusion_rows(confusion: pd.DataFrame, classes: tuple[str, ...]) -> list[tuple[str, list[tuple[float, str]]]]:
    """Give, for each label, the share of its images that were taken for each class, and the percentage to write."""
    counts = confusion.pivot_table(index="label", columns="predicted", values="count", aggfunc="sum", fill_value=0)
    matrix = counts.reindex(index=classes, columns=classes, fill_value=0).to_numpy(float)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    return [
        (name, [(round(share, 3), _percent(share)) for share in row]) for name, row in zip(classes, shares, strict=True)
    ]


def frequent_confusions(confusion: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Give the labels that are most often taken for another class, where there are too many classes for a table."""
    wrong = confusion[confusion["label"] != confusion["predicted"]]
    ordered = wrong.sort_values("count", ascending=False, kind="stable").head(MOST_CONFUSIONS)
    return [
        (row["label"], row["predicted"], _percent(row["share"]) or "< 1")
        for _, row in ordered.iterrows()
        if row["count"]
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.0f}" if share >= LEAST_WRITTEN else ""


def _details(material: Material, name: str, number: int) -> dict[str, Any]:
    found = material.found
    confusion = found.confusion[found.confusion["variant"] == name]
    reliability = found.reliability[found.reliability["variant"] == name]
    many = len(found.classes) > MOST_CLASSES
    figure = None
    if len(reliability):
        description = f"Reliability diagram of {name}"
        figure = inline_svg(reliability_figure(reliability, "", legend=False), f"believed-{number}", description)
    return {
        "confusion": confusion_rows(confusion, found.classes) if len(confusion) and not many else [],
        "confusions": frequent_confusions(confusion) if many else [],
        "reliability": figure,
    }


def _differences(pairs: pd.DataFrame, names: list[str], metrics: tuple[str, ...]) -> dict[str, list[Any]]:
    """Give, for each pair of numbers, the smaller first, and each metric: difference, interval, tests.

    A metric's list is [difference, low, high, corrected p, whether different, [[another test, its p], ...]].
    """
    place = {name: number for number, name in enumerate(names)}
    found: dict[str, list[Any]] = {}
    for row in pairs[pairs["metric"].isin(metrics)].to_dict("records"):
        if row["a"] not in place or row["b"] not in place:
            continue
        a, b = place[row["a"]], place[row["b"]]
        values = [row["difference"], row["low"], row["high"]]
        if a > b:
            values = [-row["difference"], -row["high"], -row["low"]]
        further = [[title, _number(row[name])] for name, title in FURTHER_TESTS.items() if not is_missing(row[name])]
        numbers = [*(_number(value) for value in values), _number(row["p_corrected"])]
        line = found.setdefault(f"{min(a, b)} {max(a, b)}", [None] * len(metrics))
        line[metrics.index(row["metric"])] = [*numbers, bool(row["different"]), further]
    return found


def _number(value: float) -> float | None:
    """Give a number with the digits that are shown, None where it is not defined: JSON has no word for it."""
    return None if is_missing(value) else float(f"{value:.4g}")
