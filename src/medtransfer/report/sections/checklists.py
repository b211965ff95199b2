"""The items of reporting checklists that a run can answer; the others are left to the authors."""

from __future__ import annotations

from typing import Any

from medtransfer.data.targets import TARGETS
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.statistics.metrics import title_of
from medtransfer.study import Split
from medtransfer.tasks import TASKS
from medtransfer.util.text import counted, listed

LISTS = (
    "CLAIM 2024: Tejani et al., Radiology: Artificial Intelligence 6(4), 2024, doi:10.1148/ryai.240300",
    "TRIPOD+AI: Collins et al., BMJ 385, 2024, doi:10.1136/bmj-2023-078378",
    "REFORMS: Kapoor et al., Science Advances 10(18), 2024, doi:10.1126/sciadv.adk3452",
    "Metrics Reloaded: Maier-Hein et al., Nature Methods 21, 2024, doi:10.1038/s41592-023-02151-z",
)
"""Where the checklists are published."""

Item = tuple[str, str, str, str, str, str]
"""The numbers in CLAIM 2024, TRIPOD+AI and REFORMS, the subject, the answer, the anchor of the section with details."""


def content(material: Material) -> dict[str, Any]:
    """List the items, and where the checklists are published."""
    return {"items": items(material), "lists": LISTS[:3]}


def items(material: Material) -> list[Item]:
    """Return the items that the run answers."""
    return [*_data(material), *_modelling(material), *_evaluation(material)]


def _data(material: Material) -> list[Item]:
    audit, params, classes = material.found.audit, material.found.study.params, material.found.classes
    task = TASKS[params.study.task]
    counts = f"{len(classes)} {TARGETS[task.target].listed_as}, counted by split"
    outcome = f"one of {counts}" if task.one_class else f"any of {counts}" if classes else params.study.task
    resized = f"resized to {params.data.image_size} pixels ({params.data.resize}), stored with 8 bits per channel"
    excluded = f"{counted(audit.get('left_out', 0), 'image')} excluded, by reason in metrics/data.md"
    sample = f"{audit['images']:,} images in {audit.get('groups', 0):,} groups"
    return [
        ("7", "5a", "2a", "data set and version", "source, version, licence and SHA-256", "origin"),
        ("", "8a", "3d", "outcome", outcome, "audit"),
        ("35", "21", "3e", "sample size", sample, "audit"),
        ("8, 12, 35", "11, 20a", "4a, 4b", "exclusions, unreadable images", excluded, "audit"),
        ("9", "7", "4c", "preprocessing", f"{resized}; augmentation as in the parameters", "origin"),
    ]


def _modelling(material: Material) -> list[Item]:
    params = material.found.study.params
    variants = f"{counted(len(material.names), 'variant')}, {counted(len(params.training.seeds), 'seed')} each"
    names = [name for name in TASKS[params.study.task].baselines if name in set(material.found.table["variant"])]
    selection = "on validation images only; hyperparameters are set by the study"
    return [
        ("23", "", "2b, 2c", "code, software, hardware", "git commit, versions, machine", "origin"),
        ("43", "18f", "2d, 2e", "reproduction", "dvc repro, with all parameters", "origin"),
        ("22, 24, 25", "12c", "5a", "models and training", variants, "origin"),
        ("", "", "5f", "baselines", listed([name.replace("_", " ") for name in names]), "comparison"),
        ("19", "12a", "5c", "data splits", _split(params.data.split), "audit"),
        ("", "13", "", "class imbalance", _imbalance(material), "origin"),
        ("26", "12c", "5d, 5e", "model selection", selection, "origin"),
    ]


def _evaluation(material: Material) -> list[Item]:
    found = material.found
    metrics = listed([title_of(name, material.unit) for name in found.metrics])
    unit = "by group" if found.study.params.data.group is not None else "by image, as no groups are known"
    intervals = f"{found.confidence:.0%} intervals; spread over seeds shown separately"
    tests = "paired tests between all variants, with Holm's correction"
    return [
        ("20", "12a", "6a, 6b", "disjoint splits", f"disjoint {unit}; checked for duplicates", "audit"),
        ("28", "12e", "7a", "metrics", metrics, "comparison"),
        ("29, 37", "23a", "7b", "uncertainty", intervals, "comparison"),
        ("29", "12e", "7c", "statistical tests", tests, "comparison"),
        ("37", "23a", "", "test performance", "all variants, whatever their result", "comparison"),
        ("39", "", "", "failures", "images that every variant gets wrong, confusion matrices", "hard_images"),
        ("39", "", "", "failures", "images that every variant segments badly", "hard_masks"),
        ("27", "12c", "", "ensembling", "means of variants or views, with paired tests and cost", "ensembles"),
        ("", "23a", "", "subgroups", "values with intervals, gaps tested with a correction", "subgroups"),
        ("33", "", "8a", "external validation", *_external(material)),
    ]


def _external(material: Material) -> tuple[str, str]:
    sets = list(material.found.study.params.data.external)
    return (f"on {listed(sets)}", "external") if sets else ("none: all images are from one set", "audit")


def _imbalance(material: Material) -> str:
    strategies = [material.found.study.variant(name).strategy for name in material.names]
    weighted = sum(each.loss.class_weights is not None or each.sampler == "balanced" for each in strategies)
    return f"{counted(weighted, 'variant')} with class weights or balanced sampling"


def _split(split: Split) -> str:
    if split.method == "published":
        return "as published"
    if split.method == "kfold":
        return f"{split.folds} folds, stratified by label, without splitting groups"
    return "random, stratified by label, without splitting groups"


SECTIONS.register("checklists", Section(160, "Checklists for a paper", content))
