"""What only the libraries and the disk can say about a study: do its models, weights and transforms exist?"""

from __future__ import annotations

import re
from pathlib import Path

from medtransfer.augmentation.policy import policy_problems
from medtransfer.models.families import ClassifierFamily, SegmenterFamily, build_on_meta, is_path
from medtransfer.models.gradient_checkpointing import blocks_of
from medtransfer.statistics.metrics import metrics_of
from medtransfer.study import Group, Study
from medtransfer.util.errors import near


def study_problems(study: Study) -> list[str]:
    """List, one line each, what the params ask for and cannot have; empty where everything is there."""
    params = study.params
    size, masked = params.data.image_size, params.study.task == "segmentation"
    problems = []
    for name, backbone in params.backbones.items():
        kind = SegmenterFamily if masked else ClassifierFamily
        found = kind.backbone_problems(name, backbone, size)
        if is_path(backbone.weights) and not Path(backbone.weights).is_file():
            found.append(f"weights: no file {backbone.weights}; give the path of a state dict")
        problems += [f"backbones.{name}: {problem}" for problem in found]
    for name, policy in params.augmentation.items():
        found = policy_problems(policy, size, masked=masked)
        problems += [f"augmentation.{name}: {problem}" for problem in found]
    problems += _block_problems(study) + ([] if masked else _checkpointing_problems(study))
    problems += _source_problems(study) + _metric_problems(study) + _group_problems(params.data.group)
    return [f"params.yaml: {problem}" for problem in problems]


def _source_problems(study: Study) -> list[str]:
    folder = Path(study.params.data.folder)
    if study.params.data.source != "folder":
        return []
    if not folder.is_dir():
        return [f"data.folder: expected a folder of images, but {folder} is none"]
    if not any(path.is_file() and not path.name.startswith(".") for path in folder.rglob("*")):
        return [f"data.folder: {folder} is empty; put the set's files there, or name another folder"]
    return []


def _block_problems(study: Study) -> list[str]:
    problems = []
    for name, block in study.params.explain.blocks.items():
        model = study.params.backbones[name].model or name
        if model in ClassifierFamily.all_names():
            blocks = [known for known, _ in build_on_meta(model, study.params.data.image_size).named_modules()]
            if block not in blocks:
                problems.append(f"explain.blocks.{name}: {model} has no block {block!r}{near(block, blocks)}")
    return problems


def _checkpointing_problems(study: Study) -> list[str]:
    models = {
        name: variant.model
        for name, variant in study.variants.items()
        if variant.strategy.gradient_checkpointing and variant.model in ClassifierFamily.all_names()
    }
    rows = {
        model for model in models.values() if not any(blocks_of(build_on_meta(model, study.params.data.image_size)))
    }
    return [
        f"variants.{name}: gradient_checkpointing: {model} is a plain row of layers and has no blocks to compute again"
        for name, model in models.items()
        if model in rows
    ]


def _metric_problems(study: Study) -> list[str]:
    reference, known = study.params.comparison.reference, metrics_of(study.params.study.task)
    return [
        f"comparison.reference.rows.{row}: no metric {name!r}{near(name, known)}"
        for row, figures in (reference.rows if reference else {}).items()
        for name in figures
        if name not in known
    ]


def _group_problems(group: Group | None) -> list[str]:
    if group is None or group.pattern is None:
        return []
    try:
        re.compile(group.pattern)
    except re.error as error:
        return [f"data.group.pattern: {group.pattern!r} is no regular expression: {error}"]
    return []
