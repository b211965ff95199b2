"""The items of two reporting checklists that a run can answer; the others are left to the authors.

REFORMS: Kapoor et al. 2024, "REFORMS: Consensus-based Recommendations for Machine-learning-based Science", Science
Advances 10(18). CLAIM: Mongan, Moy and Kahn 2020, "Checklist for Artificial Intelligence in Medical Imaging
(CLAIM)", Radiology: Artificial Intelligence 2(2).
"""

from __future__ import annotations

from typing import Any

from medtransfer.data.targets import TARGETS
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.statistics.metrics import title_of
from medtransfer.study import Split
from medtransfer.tasks import TASKS
from medtransfer.util.text import counted, listed


def content(material: Material) -> dict[str, Any]:
    """List the items as (REFORMS numbers, CLAIM numbers, subject, answer, anchor of the section with details)."""
    return {"items": [*_data(material), *_modelling(material), *_evaluation(material)]}


def _data(material: Material) -> list[tuple[str, ...]]:
    audit, params, classes = material.found.audit, material.found.study.params, material.found.classes
    task = TASKS[params.study.task]
    counts = f"{len(classes)} {TARGETS[task.target].listed_as}, counted by split"
    outcome = f"one of {counts}" if task.one_class else f"any of {counts}" if classes else params.study.task
    resized = f"resized to {params.data.image_size} pixels ({params.data.resize}), stored with 8 bits per channel"
    excluded = f"{counted(audit.get('left_out', 0), 'image')} excluded, by reason in metrics/data.md"
    sample = f"{audit['images']:,} images in {audit.get('groups', 0):,} groups"
    return [
        ("2a", "7", "data set and version", "source, version, licence and SHA-256", "origin"),
        ("3d", "11", "outcome", outcome, "audit"),
        ("3e", "", "sample size", sample, "audit"),
        ("4a, 4b", "13", "exclusions, unreadable images", excluded, "audit"),
        ("4c", "9", "preprocessing", f"{resized}; augmentation as in the parameters", "origin"),
    ]


def _modelling(material: Material) -> list[tuple[str, ...]]:
    params = material.found.study.params
    variants = f"{counted(len(material.names), 'variant')}, {counted(len(params.training.seeds), 'seed')} each"
    names = [name for name in TASKS[params.study.task].baselines if name in set(material.found.table["variant"])]
    selection = "on validation images only; hyperparameters are those of the study"
    return [
        ("2b, 2c", "23", "code, software, hardware", "git commit, versions, machine", "origin"),
        ("2d, 2e", "", "reproduction", "dvc repro, with all parameters", "origin"),
        ("5a", "22, 24, 25", "models and training", variants, "origin"),
        ("5f", "", "baselines", listed([name.replace("_", " ") for name in names]), "comparison"),
        ("5c", "20", "data splits", _split(params.data.split), "audit"),
        ("5d, 5e", "26", "model selection", selection, "origin"),
    ]


def _evaluation(material: Material) -> list[tuple[str, ...]]:
    found = material.found
    metrics = listed([title_of(name, material.unit) for name in found.metrics])
    unit = "by group" if found.study.params.data.group is not None else "by image, as no groups are known"
    intervals = f"{found.confidence:.0%} intervals; spread over seeds shown separately"
    tests = "paired tests between all variants, with Holm's correction"
    return [
        ("6a, 6b", "21", "disjoint splits", f"disjoint {unit}; checked for duplicates", "audit"),
        ("7a", "28", "metrics", metrics, "comparison"),
        ("7b", "29, 36", "uncertainty", intervals, "comparison"),
        ("7c", "29", "statistical tests", tests, "comparison"),
        ("", "35", "test performance", "all variants, whatever their result", "comparison"),
        ("", "37", "failures", "images that every variant gets wrong, confusion matrices", "hard_images"),
        ("", "37", "failures", "images that every variant segments badly", "hard_masks"),
        ("8a", "32", "external validation", "none: all images are from one set", "audit"),
    ]


def _split(split: Split) -> str:
    if split.method == "published":
        return "as published"
    if split.method == "kfold":
        return f"{split.folds} folds, stratified by label, without splitting groups"
    return "random, stratified by label, without splitting groups"


SECTIONS.register("checklists", Section(160, "REFORMS and CLAIM checklists", content))
