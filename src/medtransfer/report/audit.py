"""What is in the data: classes by split, duplicates, how images look, and what that alone gives away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from medtransfer.data.audit.leakage import Crossing
from medtransfer.data.audit.page import ORDER, TARGETS
from medtransfer.data.audit.shortcuts import ALL, MEASURES
from medtransfer.report.section import Material, Section
from medtransfer.report.table import Scale
from medtransfer.report.wording import counted, in_figures, in_interval

SPLITS = {"train": "training", "val": "validation", "test": "test", "rotating": "all folds"}
WHOLE = Scale(0.0, 1.0)


def audit_section(material: Material) -> Section:
    """Sum `metrics/data.json` up; `metrics/data.md` tells more, with the names of files."""
    audit = material.found.audit
    splits = [(name, SPLITS[name]) for name in ORDER if name in audit["class_counts_by_split"]]
    content = {
        "facts": [(name, value) for name, value in _facts(audit) if value],
        "duplicates": [sentence[0].upper() + sentence[1:] for sentence in _duplicates(audit)],
        "splits": splits,
        "classes": [_class(audit, name, splits) for name in audit["class_counts"]],
        "split_looks": [(title, _looks(audit["appearance"]["split"][name])) for name, title in splits],
        "measures": [ALL, *MEASURES],
        "shortcuts": [_shortcut(TARGETS[name], found) for name, found in audit["shortcuts"].items()],
        "masks": _masks(audit),
    }
    return Section("audit", "The data", content)


def _facts(audit: dict[str, Any]) -> list[tuple[str, str]]:
    missing = [
        f"{', '.join(classes)} in {SPLITS.get(split, split)}" for split, classes in audit["classes_missing"].items()
    ]
    return [
        ("Images", f"{audit['images']:,} in {counted(audit['groups'], 'group')}"),
        ("Left out", counted(audit["left_out"], "image") if audit["left_out"] else ""),
        ("Folds", f"{audit['folds']}, each tests once" if audit["folds"] > 1 else ""),
        ("Classes without images", "; ".join(missing)),
        ("Image sizes", f"{audit['image_sizes']:,}"),
    ]


def _duplicates(audit: dict[str, Any]) -> Iterator[str]:
    """Say in sentences what was found twice, and what stands on both sides of a split."""
    exact, near, crossing = audit["exact_duplicates"], audit["near_duplicates"], audit["crossing"]
    yield f"{counted(exact['sets'], 'set')} of exact duplicates{_contradicting(exact['contradictory_sets'])}."
    across = f", {near['pairs_across_splits']:,} of them across published splits" if near["pairs"] else ""
    yield f"{counted(near['pairs'], 'pair')} of near duplicates{across}{_contradicting(near['contradictory_pairs'])}."
    if crossing and crossing["groups"]:
        yield f"as published, {Crossing(**crossing).sentence()}."
    else:
        yield "no group stands in more than one split."


def _contradicting(number: int) -> str:
    return f", {number:,} with labels that contradict each other" if number else ""


def _class(audit: dict[str, Any], name: str, splits: list[tuple[str, str]]) -> dict[str, Any]:
    """Give a class's images by split, each with its share of the split for the shading, and how they look."""
    counts = []
    for split, _ in splits:
        of_split = audit["class_counts_by_split"][split]
        counts.append((of_split.get(name, 0), round(of_split.get(name, 0) / sum(of_split.values()), 3)))
    looks = _looks(audit["appearance"]["class"][name])
    return {"name": name, "counts": counts, "total": audit["class_counts"][name], "looks": looks}


def _looks(found: dict[str, Any]) -> list[str]:
    kinds = [_kinds(found[key]) for key in ("modes", "file_types")]
    ranges = []
    for least, median, greatest in (found[name] for name in ("width", "height", "brightness")):
        ranges.append(f"{median:g}" if least == greatest else f"{median:g} ({least:g}–{greatest:g})")
    return [*kinds, *ranges]


def _kinds(counts: dict[str, int]) -> str:
    """Name what there is, each with its count where there are several."""
    return ", ".join(f"{name} {count:,}" if len(counts) > 1 else name for name, count in counts.items())


def _shortcut(target: str, found: dict[str, Any]) -> dict[str, Any]:
    scores = [found["scores"].get(name) for name in (ALL, *MEASURES)]
    return {
        "target": target,
        "chance": in_figures(found["chance"]),
        "cells": [_score(score, found) for score in scores],
    }


def _score(score: dict[str, float] | None, found: dict[str, Any]) -> dict[str, Any] | None:
    if score is None:
        return None
    value, low, high = score["balanced_accuracy"], score["low"], score["high"]
    places = {"point": WHOLE.place(value), "left": WHOLE.place(low), "width": WHOLE.place(high - low)}
    return {
        "text": in_figures(value),
        "interval": in_interval(low, high),
        "zero": WHOLE.place(found["chance"]),
    } | places


def _masks(audit: dict[str, Any]) -> dict[str, Any] | None:
    masks = audit["masks"]
    if masks is None:
        return None
    rows = [(name, found["images"], f"{found['mean_share']:.2%}") for name, found in masks["classes"].items()]
    return {"empty": masks["empty"], "rows": rows}
