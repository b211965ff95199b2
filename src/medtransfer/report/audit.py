"""What is in the data: classes by split, duplicates, what crosses splits, what a model could learn instead."""

from __future__ import annotations

from typing import Any

from medtransfer.dataset.leakage import Crossing
from medtransfer.report.section import Material, Section
from medtransfer.report.wording import counted

SPLITS = {"train": "training", "val": "validation", "test": "test", "rotating": "all folds"}


def audit_section(material: Material) -> Section:
    """Sum `metrics/data.json` up: facts as far as they are known, and the classes of each split."""
    audit = material.found.audit
    content = {
        "facts": [(name, value) for name, value in _facts(audit) if value],
        "splits": _splits(audit),
        "classes": _classes(audit),
        "duplicates": _duplicates(audit),
    }
    return Section("audit", "The data", content)


def _facts(audit: dict[str, Any]) -> list[tuple[str, str]]:
    groups, folds = audit.get("groups"), int(audit.get("folds", 1))
    modes = audit.get("modes", {})
    return [
        ("Images", f"{audit['images']:,}" + (f" in {counted(groups, 'group')}" if groups else "")),
        ("Left out", counted(audit["left_out"], "image") if audit.get("left_out") else ""),
        ("Folds", f"{folds}, each tests once" if folds > 1 else ""),
        ("Layout", _layout(audit.get("layout"))),
        ("Modes", ", ".join(f"{mode} ({count:,})" for mode, count in modes.items())),
        ("Image sizes", f"{audit['image_sizes']:,}" if audit.get("image_sizes") else ""),
    ]


def _layout(layout: Any) -> str:
    """Give the layout's kind; the parameters tell the rest."""
    return str(layout["kind"] if isinstance(layout, dict) else layout or "")


def _splits(audit: dict[str, Any]) -> list[tuple[str, str]]:
    present = audit.get("class_counts_by_split", {})
    ordered = [name for name in SPLITS if name in present] + [name for name in present if name not in SPLITS]
    return [(name, SPLITS.get(name) or name) for name in ordered]


def _classes(audit: dict[str, Any]) -> list[dict[str, Any]]:
    """Give each class's images by split, and the share of the split that they are, for the table's shading."""
    by_split = audit.get("class_counts_by_split", {})
    brightness = audit.get("brightness_by_class", {})
    rows = []
    for name, total in audit.get("class_counts", {}).items():
        counts = []
        for split, _ in _splits(audit):
            count = by_split[split].get(name, 0)
            counts.append((count, round(count / max(sum(by_split[split].values()), 1), 3)))
        rows.append({"name": name, "total": total, "counts": counts, "brightness": brightness.get(name)})
    return rows


def _duplicates(audit: dict[str, Any]) -> list[str]:
    """Say in sentences what was found twice, and what stands on both sides of a split."""
    exact, near, crossing = (audit.get(name) for name in ("exact_duplicates", "near_duplicates", "crossing"))
    said = []
    if exact is not None:
        said.append(
            f"{counted(exact['sets'], 'set')} of exact duplicates{_contradicting(len(exact['contradictory']))}."
        )
    if near is not None:
        across = f", {near['pairs_across_splits']:,} of them across published splits" if near["pairs"] else ""
        said.append(
            f"{counted(near['pairs'], 'pair')} of near duplicates{across}{_contradicting(near['contradictory_pairs'])}."
        )
    if crossing:
        said.append(f"{Crossing(**crossing).sentence()}.")
    elif "crossing" in audit:
        said.append("no group stands in more than one split.")
    return [sentence[0].upper() + sentence[1:] for sentence in said]


def _contradicting(number: int) -> str:
    return f", {number:,} with labels that contradict each other" if number else ""
