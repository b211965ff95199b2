"""What each task allows in a study: its losses, heads and metrics, by name; Reads `params.yaml`, checks every reference in it, and tells all that is wrong at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from medtransfer.study.schema import WITH_GRADIENTS, Params, VariantLine
from medtransfer.study.section import OTHER, WORD
from medtransfer.study.strategy import FITTED_HEADS, Strategy
from medtransfer.study.variant import Variant
from medtransfer.util.errors import UserError, near


@dataclass(frozen=True)
class Rules:
    """The names that go with a task. headline: the metrics that get intervals and tests, the chief one first."""

    losses: tuple[str, ...]
    heads: tuple[str, ...]
    headline: tuple[str, ...]


RULES = {
    "classification": Rules(
        losses=("cross_entropy", "binary_cross_entropy"),
        heads=("linear", "mlp", "own", "prototypes", "knn", "logistic"),
        headline=("accuracy", "balanced_accuracy", "f1_weighted", "f1_macro", "roc_auc"),
    ),
    "segmentation": Rules(
        losses=("cross_entropy", "binary_cross_entropy", "dice", "dice_cross_entropy", "focal", "tversky"),
        heads=("linear",),
        headline=("dice", "iou", "precision", "recall", "hd95", "assd"),
    ),
}


def task_problems(params: Params) -> list[str]:
    """List what in a study as a whole does not go with its task."""
    task, problems = params.study.task, []
    if task == "segmentation" and params.data.masks is None:
        problems.append("data.masks: segmentation needs masks; auto finds those that names speak of")
    if task == "classification" and params.data.layout.kind == "images":
        problems.append("data.layout: images has no labels; classification needs a layout with classes")
    if task == "segmentation" and params.explain.variants:
        problems.append("explain.variants: maps show what speaks for a class of images; segmentation has none: use []")
    headline = RULES[task].headline
    if params.comparison.metric not in headline:
        problems.append(
            f"comparison.metric: {params.comparison.metric} is no metric of {task}; expected one of "
            f"{', '.join(headline)}"
        )
    return problems


def variant_problems(variant: Variant, task: str) -> list[str]:
    """List what in one variant does not go with the study's task."""
    rules, strategy, problems = RULES[task], variant.strategy, []
    if strategy.loss.kind not in rules.losses:
        problems.append(f": loss: {strategy.loss.kind} is for masks; {task} has {', '.join(rules.losses)}")
    if strategy.head not in rules.heads:
        problems.append(f": head: {strategy.head} classifies images; in {task} the decoder is the head: leave it out")
    if task == "segmentation" and variant.policy.mix is not None and variant.policy.mix.method == "mixup":
        problems.append(": mixup would blend masks, whose classes are not shared; use cutmix, which pastes them")
    return problems


NAME = re.compile(r"[a-z0-9_]+")
BASELINES = ("majority", "nearest_neighbour")


class Study:
    """A checked `params.yaml` and its variants, each with its parts filled in."""

    def __init__(self, params: Params, variants: dict[str, Variant]) -> None:
        self.params = params
        self.variants = variants

    def variant(self, name: str) -> Variant:
        """Give one variant; raise `UserError` where the study has no such line."""
        if name not in self.variants:
            raise UserError(f"variants: no {name!r} in params.yaml{near(name, self.variants)}")
        return self.variants[name]


def load_study(path: Path = Path("params.yaml")) -> Study:
    """Read and check a parameter file; see `check_study`."""
    return check_study(read_yaml(path), str(path))


def check_study(raw: Any, where: str) -> Study:
    """Check the plain values of a parameter file, which error lines call `where`.

    Raises `UserError` with one line for every problem: keys, types and ranges first, then names that refer
    to nothing and parts that do not go together.
    """
    if isinstance(raw, dict) and "grid" in raw:
        raise UserError(f"{where}: grid belongs to a file of studies/; `medtransfer use NAME` writes its lines out")
    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        raise UserError(_lines(error, where)) from None
    problems = [
        f"{where}: {section}.{name}: names match [a-z0-9_]+"
        for section in ("augmentation", "backbones", "strategies", "variants")
        for name in getattr(params, section)
        if not NAME.fullmatch(name)
    ]
    problems += [f"{where}: {problem}" for problem in task_problems(params)]
    variants: dict[str, Variant] = {}
    for name, line in params.variants.items():
        variant, found = _resolve(name, line, params)
        problems += [f"{where}: variants.{name}{problem}" for problem in found]
        if variant is not None:
            variants[name] = variant
    problems += [f"{where}: explain.{problem}" for problem in _explain_problems(params, variants)]
    if problems:
        raise UserError(problems)
    return Study(params, variants)


def read_yaml(path: Path) -> Any:
    """Read a YAML file as plain values; raise `UserError` where it is missing or no YAML."""
    try:
        return parse_yaml(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; `medtransfer use NAME` puts a study in force") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: expected UTF-8 text") from None


def parse_yaml(text: str, where: str) -> Any:
    """Parse YAML into plain values; raise `UserError` that names the place in one line."""
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise UserError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from None


def _resolve(name: str, line: VariantLine, params: Params) -> tuple[Variant | None, list[str]]:
    problems = [
        f".{field}: no {value!r} in {section}{near(value, getattr(params, section))}"
        for field, section, value in (
            ("backbone", "backbones", line.backbone),
            ("strategy", "strategies", line.strategy),
            ("augmentation", "augmentation", line.augmentation),
        )
        if value not in getattr(params, section)
    ]
    if name in BASELINES:
        problems.append(f": {name!r} is the name of a baseline row; choose another")
    if problems:
        return None, problems
    chosen = params.strategies[line.strategy].model_dump(exclude_unset=True)
    try:
        strategy = Strategy.model_validate(chosen | (line.model_extra or {}))
    except ValidationError as error:
        return None, [f".{text}" for text in _lines(error)]
    variant = Variant(
        name=name,
        backbone_name=line.backbone,
        backbone=params.backbones[line.backbone],
        strategy_name=line.strategy,
        strategy=strategy,
        augmentation_name=line.augmentation,
        policy=params.augmentation[line.augmentation],
    )
    return variant, _impossible(variant) + variant_problems(variant, params.study.task)


def _impossible(variant: Variant) -> list[str]:
    problems = []
    strategy, policy = variant.strategy, variant.policy
    if variant.backbone.weights == "none" and strategy.init == "pretrained":
        problems.append(
            f": init: pretrained needs weights, but backbones.{variant.backbone_name}.weights is none; "
            "give weights, or use a strategy with init: random"
        )
    if strategy.head in FITTED_HEADS and policy.mix is not None:
        problems.append(f": head: {strategy.head} needs hard labels, but {policy.mix.method} makes soft ones")
    if strategy.shots is not None and policy.mix is not None:
        problems.append(f": shots: {strategy.shots} with {policy.mix.method} would mix in images beyond the shots")
    if strategy.fits_head and policy.views == "fresh":
        problems.append(f": head: {strategy.head} is fitted once on kept views; give the policy a number of views")
    return problems


def _explain_problems(params: Params, variants: dict[str, Variant]) -> list[str]:
    explain = params.explain
    problems = [
        f"blocks: no {name!r} in backbones{near(name, params.backbones)}"
        for name in explain.blocks
        if name not in params.backbones
    ]
    for name in explain.variants:
        if name not in params.variants:
            problems.append(f"variants: no {name!r} in variants{near(name, params.variants)}")
        elif name in variants and variants[name].strategy.head == "knn":
            problems += [
                f"variants: {name} has head: knn, whose votes have no gradient for {method}; take one of the two out"
                for method in explain.methods
                if method in WITH_GRADIENTS
            ]
    return problems


def _lines(error: ValidationError, path: str = "") -> list[str]:
    lines = []
    for item in error.errors():
        place = ".".join(str(part) for part in item["loc"] if part not in (WORD, OTHER))
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = "unknown key"
        elif item["type"] == "missing":
            message = "missing"
        elif item["type"] in ("model_type", "dict_type"):
            message = f"expected a section of keys and values, but got {item['input']!r}"
        elif not item["type"].startswith("value_error"):
            message = f"{message[0].lower()}{message[1:]}, but got {item['input']!r}"
        lines.append(": ".join(part for part in (path, place, message) if part))
    return lines
