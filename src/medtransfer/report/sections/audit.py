"""The data: classes by split, duplicates, appearance of the images, and shortcuts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from medtransfer.data.audit.leakage import Crossing
from medtransfer.data.audit.page import ORDER, TARGETS, appearance_cells
from medtransfer.data.audit.shortcuts import ALL, MEASURES
from medtransfer.report.bars import Scale
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.util.text import counted, typeset

SPLITS = {"train": "training", "val": "validation", "test": "test", "rotating": "all folds"}
SHARES = Scale(0.0, 1.0)


def content(material: Material) -> dict[str, Any]:
    """Summarise `metrics/data.json`; `metrics/data.md` has more, with the names of files."""
    audit = material.found.audit
    splits = {name: SPLITS[name] for name in ORDER if name in audit["class_counts_by_split"]}
    return {
        "facts": {name: value for name, value in _facts(audit).items() if value},
        "duplicates": [sentence[0].upper() + sentence[1:] for sentence in _duplicates(audit)],
        "splits": splits,
        "classes": [_class(audit, name, splits) for name in audit["class_counts"]],
        "split_looks": [
            (title, appearance_cells(audit["appearance"]["split"][name])) for name, title in splits.items()
        ],
        "measures": [ALL, *MEASURES],
        "shortcuts": [_shortcut(TARGETS[name], found) for name, found in audit["shortcuts"].items()],
        "masks": _masks(audit["masks"]),
    }


def _facts(audit: dict[str, Any]) -> dict[str, str]:
    dropped = "; ".join(f"{found['images']:,} {reason}" for reason, found in audit["dropped"].items())
    missing = [f"{', '.join(names)} in {SPLITS.get(split, split)}" for split, names in audit["classes_missing"].items()]
    return {
        "Images": f"{audit['images']:,} in {counted(audit['groups'], 'group')}",
        "Excluded": f"{counted(audit['left_out'], 'image')}: {dropped}" if dropped else "",
        "Folds": f"{audit['folds']}; each is the test set once" if audit["folds"] > 1 else "",
        "Classes without images": "; ".join(missing),
        "Distinct image sizes": f"{audit['image_sizes']:,}",
    }


def _duplicates(audit: dict[str, Any]) -> Iterator[str]:
    """Yield sentences about duplicates and about groups in several splits."""
    exact, near, crossing = audit["exact_duplicates"], audit["near_duplicates"], audit["crossing"]
    yield f"{counted(exact['sets'], 'set')} of exact duplicates{_contradicting(exact['contradictory_sets'])}."
    number = f"{near['pairs_across_splits']:,}" if near["pairs_across_splits"] else "none"
    across = f", {number} of them across published splits" if near["pairs"] else ""
    yield f"{counted(near['pairs'], 'pair')} of near duplicates{across}{_contradicting(near['contradictory_pairs'])}."
    if crossing and crossing["groups"]:
        yield f"as published, {Crossing(**crossing).sentence()}."
    else:
        yield "no group is in more than one split."


def _contradicting(number: int) -> str:
    return f", {number:,} with contradictory labels" if number else ""


def _class(audit: dict[str, Any], name: str, splits: dict[str, str]) -> dict[str, Any]:
    """Return a class's images by split, each with its share of the split for the shading, and their appearance."""
    counts = []
    for split in splits:
        of_split = audit["class_counts_by_split"][split]
        counts.append((of_split.get(name, 0), round(of_split.get(name, 0) / sum(of_split.values()), 3)))
    looks = appearance_cells(audit["appearance"]["class"][name])
    return {"name": name, "counts": counts, "total": audit["class_counts"][name], "looks": looks}


def _shortcut(target: str, found: dict[str, Any]) -> dict[str, Any]:
    scores = [found["scores"].get(name) for name in (ALL, *MEASURES)]
    cells = [
        score and SHARES.cell(score["balanced_accuracy"], score["low"], score["high"], zero=found["chance"])
        for score in scores
    ]
    return {"target": target, "chance": typeset(found["chance"]), "cells": cells}


def _masks(masks: dict[str, Any] | None) -> dict[str, Any] | None:
    if masks is None:
        return None
    rows = [(name, found["images"], f"{found['mean_share']:.2%}") for name, found in masks["classes"].items()]
    return {"empty": masks["empty"], "rows": rows}


SECTIONS.register("audit", Section(140, "Data", content))
