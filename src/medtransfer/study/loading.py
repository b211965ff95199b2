"""Reads `params.yaml`, checks every reference in it, and tells all that is wrong at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from medtransfer.errors import UserError
from medtransfer.study.explain import WITH_GRADIENTS
from medtransfer.study.schema import Params, VariantLine
from medtransfer.study.section import OTHER, WORD
from medtransfer.study.strategy import FITTED_HEADS, Strategy
from medtransfer.study.tasks import task_problems, variant_problems
from medtransfer.study.variant import Variant

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


def near(name: str, known: Iterable[str]) -> str:
    """Say which known name was probably meant, as the end of an error line."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(names[:12])}{' …' if len(names) > 12 else ''}"


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
