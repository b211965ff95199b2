"""Two variants that the reader chooses: their differences, confusions, calibration, and the images they differ on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medtransfer.data.prepared import Prepared
from medtransfer.report.answers import (
    MOST_MASKS_OF_A_PAIR,
    MOST_OF_A_PAIR,
    ClassAnswers,
    MaskAnswers,
    distinguishing_images,
    masks_of_first_run,
)
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.sections.calibration import FORMS, reliability_figure
from medtransfer.report.svg import inline_svg
from medtransfer.report.thumbnails import Thumbnails, outline_of
from medtransfer.statistics.metrics import title_of
from medtransfer.tasks.classes.figures import LEAST_WRITTEN
from medtransfer.util.text import is_missing

MOST_VARIANTS = 40
"""Only the best variants can be chosen: with more, the page would open slowly."""

OTHER_TESTS = {
    "mcnemar_p": "McNemar's test",
    "delong_p": "DeLong's test",
    "resampled_t_p": "corrected resampled t-test",
}
"""Tests shown for information, by their columns; the paired bootstrap test decides."""

MOST_CLASSES, MOST_CONFUSIONS = 30, 15
"""With more classes, a list of the most frequent confusions replaces the matrix."""

MOST_OVERLAYS = 2000


def content(material: Material) -> dict[str, Any]:
    """Collect the data of all pairs of variants for the page's script."""
    names = material.names[:MOST_VARIANTS]
    found, values = material.found, material.variants.set_index("variant").loc[names, list(material.found.metrics)]
    material.script.update(
        compared=names,
        metrics=[title_of(metric, material.unit) for metric in found.metrics],
        values=[[_number(value) for value in row] for row in values.to_numpy(float)],
        pairs=_differences(found.pairs, names, found.metrics),
        **class_choice(material, names),
        **mask_choice(material, names),
    )
    firsts = [name for name in material.best_of_each_backbone() if name in names]
    second = firsts[1] if len(firsts) > 1 else names[1]
    return {
        "names": names,
        "chosen": {"a": 0, "b": names.index(second)},
        "forms": [(label, colour) for _, label, _, colour in FORMS],
        "details": [_details(material, name, number) for number, name in enumerate(names)],
        "masks": bool(material.script["masks"]),
        "left_out": len(material.names) - len(names),
        "images": bool(material.script["images"] or material.script["masks"]),
    }


def class_choice(material: Material, names: list[str]) -> dict[str, Any]:
    """Return the images that only one of two variants gets right, for the script: all counts, some thumbnails."""
    found = material.found
    if found.images.empty or not found.classes:
        return {"images": []}
    answers, thumbnails = ClassAnswers(found.images, names), Thumbnails(Prepared(material.places.prepared))
    number = {name: place for place, name in enumerate(found.classes)}
    images = [
        {
            "thumbnail": thumbnails.of(answers.paths[row]),
            "path": answers.paths[row],
            "label": number[answers.labels.iloc[row]],
            "predicted": [number[name] for name in answers.predicted.iloc[row]],
        }
        for row in distinguishing_images(answers.correct)
    ]
    return {
        "images": [image for image in images if image["thumbnail"]],
        "classes": list(found.classes),
        "onlyRight": answers.only_correct().tolist(),
        "mostShown": MOST_OF_A_PAIR,
    }


def mask_choice(material: Material, names: list[str]) -> dict[str, Any]:
    """Return the images that one of two variants segments better, for the script: all counts, some thumbnails."""
    if material.found.masks.empty:
        return {"masks": []}
    masks, thumbnails = MaskAnswers(material.found.masks, names), Thumbnails(Prepared(material.places.prepared))
    paths = masks.distinguishing(MOST_OVERLAYS // len(names))
    predicted = [masks_of_first_run(material, name, paths) for name in names]
    images = [
        {
            "path": path,
            "thumbnail": thumbnails.of(path),
            "truth": thumbnails.true_area(path),
            "outlines": [outline_of(found[path]) if path in found else "" for found in predicted],
            "dice": [None if np.isnan(value) else round(value, 3) for value in masks.dice.loc[path]],
        }
        for path in paths
    ]
    dice = masks.dice.to_numpy(float)
    return {
        "masks": [image for image in images if image["thumbnail"]],
        "betterMask": (dice[:, :, None] > dice[:, None, :]).sum(axis=0).tolist(),
        "mostMasks": MOST_MASKS_OF_A_PAIR,
    }


def confusion_rows(confusion: pd.DataFrame, classes: tuple[str, ...]) -> list[tuple[str, list[tuple[float, str]]]]:
    """Return, for each label, the share of its images predicted as each class, and the percentage to write."""
    counts = confusion.pivot_table(index="label", columns="predicted", values="count", aggfunc="sum", fill_value=0)
    matrix = counts.reindex(index=classes, columns=classes, fill_value=0).to_numpy(float)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    return [
        (name, [(round(share, 3), _percent(share)) for share in row]) for name, row in zip(classes, shares, strict=True)
    ]


def frequent_confusions(confusion: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return the most frequent confusions as (label, predicted class, percentage of the label's images)."""
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
        figure = inline_svg(reliability_figure(reliability, "", legend=False), f"calibration-{number}", description)
    return {
        "confusion": confusion_rows(confusion, found.classes) if len(confusion) and not many else [],
        "confusions": frequent_confusions(confusion) if many else [],
        "reliability": figure,
    }


def _differences(pairs: pd.DataFrame, names: list[str], metrics: tuple[str, ...]) -> dict[str, list[Any]]:
    """Return the differences of all pairs, by "A B", the numbers of both variants, the smaller first.

    There is one list per metric: [difference, low, high, corrected p, is different, [[other test, its p], ...]].
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
        others = [[title, _number(row[name])] for name, title in OTHER_TESTS.items() if not is_missing(row[name])]
        numbers = [*(_number(value) for value in values), _number(row["p_corrected"])]
        line = found.setdefault(f"{min(a, b)} {max(a, b)}", [None] * len(metrics))
        line[metrics.index(row["metric"])] = [*numbers, bool(row["different"]), others]
    return found


def _number(value: float) -> float | None:
    """Return a number with the digits shown; None, for JSON, if it is undefined."""
    return None if is_missing(value) else float(f"{value:.4g}")


SECTIONS.register("pairs", Section(40, "Compare two variants", content, lambda material: len(material.names) > 1))
