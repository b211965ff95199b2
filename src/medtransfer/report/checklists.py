"""The items of two reporting checklists that a run can answer by itself; the rest is for the authors.

REFORMS: Kapoor et al. 2024, "REFORMS: Consensus-based Recommendations for Machine-learning-based Science", Science
Advances 10(18). CLAIM: Mongan, Moy and Kahn 2020, "Checklist for Artificial Intelligence in Medical Imaging
(CLAIM)", Radiology: Artificial Intelligence 2(2).
"""

from __future__ import annotations

from dataclasses import dataclass

from medtransfer.report.section import Material, Section
from medtransfer.report.wording import counted, listed
from medtransfer.statistics.metrics import title_of
from medtransfer.study import Split


@dataclass(frozen=True)
class Item:
    """One subject of both checklists: the numbers of its items, what they ask about, the answer and where it stands."""

    reforms: str
    claim: str
    subject: str
    answer: str
    anchor: str = ""


def checklist_section(material: Material) -> Section:
    """Answer what the run knows; what is asked about the population and the clinic is listed as left to the authors."""
    items = [*_data(material), *_modelling(material), *_evaluation(material)]
    return Section("checklists", "For REFORMS and CLAIM", {"items": items})


def _data(material: Material) -> list[Item]:
    audit, params = material.found.audit, material.found.study.params
    resized = f"resized to {params.data.image_size} pixels ({params.data.resize}), kept as 8 bits a channel"
    excluded = counted(audit.get("left_out", 0), "image")
    return [
        Item("2a", "7", "data set and its version", "source, version, licence and SHA-256", "origin"),
        Item("3d", "11", "outcome", _outcome(material), "audit"),
        Item("3e", "", "sample size", f"{audit['images']:,} images in {audit.get('groups', 0):,} groups", "audit"),
        Item(
            "4a, 4b",
            "13",
            "exclusions, unreadable images",
            f"{excluded} left out; unreadable images stop the run",
            "audit",
        ),
        Item("4c", "9", "preprocessing", f"{resized}; augmented as the parameters say", "origin"),
    ]


def _modelling(material: Material) -> list[Item]:
    params = material.found.study.params
    seeds = counted(len(params.training.seeds), "seed")
    return [
        Item("2b, 2c", "23", "code, software, machine", "git commit, versions, hardware", "origin"),
        Item("2d, 2e", "", "to run it again", "dvc repro, with all parameters", "origin"),
        Item(
            "5a",
            "22, 24, 25",
            "models and their training",
            f"{counted(len(material.names), 'variant')}, {seeds} each",
            "origin",
        ),
        Item("5f", "", "baselines", "majority class and nearest neighbours of raw pixels", "comparison"),
        Item("5c", "20", "how the data were split", _split(params.data.split), "audit"),
        Item(
            "5d, 5e",
            "26",
            "selection",
            "by validation images alone; hyperparameters are the lines of the study",
            "origin",
        ),
    ]


def _evaluation(material: Material) -> list[Item]:
    found = material.found
    metrics = listed([title_of(name, material.unit) for name in found.metrics])
    unit = "groups" if found.study.params.data.group is not None else "images: there is no group key"
    return [
        Item("6a, 6b", "21", "disjoint partitions", f"disjoint by {unit}; duplicates were looked for", "audit"),
        Item("7a", "28", "metrics", metrics, "comparison"),
        Item("7b", "29, 36", "uncertainty", f"{found.confidence:.0%} intervals, spread over seeds apart", "comparison"),
        Item("7c", "29", "tests", "paired tests between all variants, corrected by Holm's rule", "comparison"),
        Item("", "35", "performance on the test images", "all variants, whether they did well or not", "comparison"),
        Item("", "37", "failures", "images that every variant gets wrong, confusion matrices", "wrong"),
        Item("", "37", "failures", "masks that every variant finds badly", "hard_masks"),
        Item("8a", "32", "other data", "none: all images come from one set", "audit"),
    ]  # fmt: skip


def _outcome(material: Material) -> str:
    classes = material.found.classes
    return f"one of {len(classes)} classes, counted by split" if classes else material.found.study.params.study.task


def _split(split: Split) -> str:
    if split.method == "published":
        return "as published"
    if split.method == "kfold":
        return f"{split.folds} folds, stratified by class, groups kept whole"
    return "at random, stratified by class, groups kept whole"
