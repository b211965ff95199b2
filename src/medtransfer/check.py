"""Checks of a study against registries, libraries and files: whether its choices exist and are compatible."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import nn

from medtransfer.augmentation.mixing import MIXES
from medtransfer.augmentation.policy import policy_problems
from medtransfer.augmentation.tta import tta_problem
from medtransfer.data.catalogue import find_entry, reference_problem
from medtransfer.data.catalogue.page import changes_for
from medtransfer.data.layouts import LAYOUTS
from medtransfer.data.sources import SOURCES
from medtransfer.data.sources.folder import folder_problem
from medtransfer.data.targets import TARGETS, Target
from medtransfer.deployment.explain.methods import METHODS
from medtransfer.models.blocks import blocks_of
from medtransfer.models.families import ClassifierFamily, SegmenterFamily, build_on_meta, is_path
from medtransfer.models.heads import HEADS
from medtransfer.models.trained_part import owners, part_problem
from medtransfer.statistics.metrics import metrics_of, ranking_metrics
from medtransfer.study import Data, Features, Strategy, Study, Variant
from medtransfer.study.loading import error_lines, read_yaml
from medtransfer.study.schema import Params
from medtransfer.tasks import TASKS
from medtransfer.tasks.task import Task
from medtransfer.training.optimizers import OPTIMIZERS
from medtransfer.training.schedules import SCHEDULES
from medtransfer.util.errors import UserError, near
from medtransfer.util.registry import Registry, options_of

OF_A_HEAD_OR_OPTIMIZER = ("hidden", "head_batch_norm", "neighbours", "prompts", "dropout", "momentum", "nesterov")
"""Fields of a strategy that only some heads or optimizers have."""
GIVEN = {"weight", "classifier"}
"""Parameters of losses and heads that training sets, not the study."""


def study_problems(study: Study) -> list[str]:
    """List the problems of a study, one per line."""
    return choice_problems(study) + [f"{study.where}: {problem}" for problem in _missing_files(study)]


def choice_problems(study: Study) -> list[str]:
    """List the choices of a study that do not exist or are not compatible, one per line; no file is looked for."""
    if problem := TASKS.problem(study.params.study.task):
        return [f"{study.where}: study.task: {problem}"]
    found = _registry_problems(study, TASKS[study.params.study.task]) + _library_problems(study)
    return [f"{study.where}: {problem}" for problem in found]


def _registry_problems(study: Study, task: Task) -> list[str]:
    """List unregistered choices, unknown options, and combinations that are not possible."""
    problems = _unknown(_choices(study.params)) + task.problems(study.params)
    if (dataset := study.params.data.dataset) and (problem := reference_problem(dataset)):
        problems.append(f"data.dataset: {problem}")
    problems += _target_problems(study.params.data, TARGETS[task.target])
    known, metric = ranking_metrics(study.params.study.task), study.params.comparison.metric
    if metric not in known:
        problems.append(f"comparison.metric: no metric {metric!r}{near(metric, known)}")
    of_strategies = {name: _strategy_problems(each, task) for name, each in study.params.strategies.items()}
    problems += [f"strategies.{name}{problem}" for name, found in of_strategies.items() for problem in found]
    for name, variant in study.variants.items():
        if not of_strategies[variant.strategy_name]:
            found = _strategy_problems(variant.strategy, task)
            found = found or _variant_problems(variant) + task.variant_problems(variant)
            problems += [f"variants.{name}{problem}" for problem in found]
    return problems + _prompt_problems(study) + _explain_problems(study)


def _target_problems(data: Data, target: Target) -> list[str]:
    """List the fields of `data` and `data.labels` that the target of the study does not have."""
    of_some = frozenset().union(*(each.settings for each in TARGETS.values()))
    unknown = [f"labels.{name}" for name in sorted(data.labels.model_fields_set & of_some - target.settings)]
    unknown += [name for name in ("order", "unit") if getattr(data, name) is not None and name not in target.properties]
    return [f"data.{name}: it does not apply to the {target.noun} of this task; omit it" for name in unknown]


def with_dataset(reference: str | None, changes: Sequence[str], study: Path) -> list[str]:
    """Prepend to the changes of a study those that download and read a set of the catalogue, if one is named.

    A change `data.dataset=REFERENCE` names it, too. Raises `UserError` if there is no such set, if this version cannot
    read it, or if the study, a file, is for another task.
    """
    given = dict(change.partition("=")[::2] for change in changes)
    reference = reference or given.get("data.dataset", "null").strip("'\" ")
    if reference in ("null", "~", ""):
        return list(changes)
    entry = find_entry(reference)
    if entry.reading is None or entry.task not in TASKS:
        raise UserError(f"{reference}: this version cannot read it, or does not predict its target, {entry.task}")
    if not entry.competition and entry.version is None and not {"data.kaggle", "data.source"} & given.keys():
        raise UserError(
            f"{reference}: the catalogue knows no version of it; take the number on {entry.page}: "
            f"-S 'data.kaggle={{dataset: {reference}, version: N}}'"
        )
    task = given.get("study.task") or (read_yaml(study) if study.is_file() else {}).get("study", {}).get("task")
    if task not in (None, entry.task):
        others = [file.stem for file in sorted(study.parent.glob("own_*.yaml")) if file != study]
        raise UserError(
            f"{reference} is for {entry.task}, but the study {study.stem} is for {task}; try {' or '.join(others)}"
        )
    return [*changes_for(entry), *changes]


def _unknown(choices: Iterable[tuple[str, Registry[Any], str]]) -> list[str]:
    return [f"{place}: {problem}" for place, registry, name in choices if (problem := registry.problem(name))]


def _choices(params: Params) -> Iterator[tuple[str, Registry[Any], str]]:
    yield "data.source", SOURCES, params.data.source
    if params.data.layout.kind != "auto":
        yield "data.layout.kind", LAYOUTS, params.data.layout.kind
    for name, external in params.data.external.items():
        yield f"data.external.{name}.source", SOURCES, external.source
        if external.layout.kind != "auto":
            yield f"data.external.{name}.layout.kind", LAYOUTS, external.layout.kind
    for name, policy in params.augmentation.items():
        if policy.mix is not None:
            yield f"augmentation.{name}.mix.method", MIXES, policy.mix.method
    for number, method in enumerate(params.explain.methods):
        yield f"explain.methods.{number}", METHODS, method


def _strategy_problems(strategy: Strategy, task: Task) -> list[str]:
    """List the problems of a strategy, each as it follows the strategy's place in `params.yaml`."""
    loss, schedule, losses = strategy.loss, strategy.schedule, task.losses
    head, optimizer = (HEADS, strategy.head), (OPTIMIZERS, strategy.optimizer)
    kinds = (".schedule.kind", SCHEDULES, schedule.kind), (".loss.kind", losses, loss.kind)
    if unknown := _unknown([(".head", *head), (".optimizer", *optimizer), *kinds]):
        return unknown
    own = {name: getattr(strategy, name) for name in OF_A_HEAD_OR_OPTIMIZER}
    own = {name: value for name, value in own.items() if value != Strategy.model_fields[name].default}
    problems = [
        *_option_problems("", own | (strategy.model_extra or {}), Strategy.model_fields, head, optimizer),
        *_option_problems(
            ".schedule", schedule.model_extra or {}, type(schedule).model_fields, (SCHEDULES, schedule.kind)
        ),
        *_option_problems(".loss", loss.model_extra or {}, type(loss).model_fields, (losses, loss.kind)),
    ]
    options = options_of(losses[loss.kind])
    if loss.class_weights and "weight" not in options:
        problems.append(f".loss: {loss.kind} does not support class_weights")
    if loss.label_smoothing and not task.one_class and "label_smoothing" not in options:
        problems.append(f".loss: {loss.kind} does not support label_smoothing; the cross-entropies do")
    if HEADS[strategy.head].fitted and strategy.train != "head":
        problems.append(f": head: {strategy.head} is fitted on frozen features; it needs train: head")
    if strategy.sampler == "balanced" and not task.one_class:
        problems.append(": sampler: balanced needs one class for each image, which this task does not have")
    if strategy.sampler == "balanced" and (strategy.train == "none" or HEADS[strategy.head].fitted):
        problems.append(": sampler: balanced draws the rows of epochs, but nothing trains over epochs here")
    if strategy.blocks and (HEADS[strategy.head].keeps_spatial or not issubclass(HEADS[strategy.head], nn.Sequential)):
        problems.append(f": features of several blocks are for head: linear or mlp, not {strategy.head}")
    key = "lr_search" if strategy.search is None else "search"
    if HEADS[strategy.head].fitted and getattr(strategy, key) is not None:
        problems.append(f": {key} needs a head that trains over epochs, unlike head: {strategy.head}")
    return problems or _searched_problems(strategy, task)


def _searched_problems(strategy: Strategy, task: Task) -> list[str]:
    """List the problems of the values that a strategy searches: of options that head and optimizer do not have."""
    for values in strategy.search.corners if strategy.search else ():
        if found := _strategy_problems(strategy.at(values), task):
            return [f".search.space{problem}" for problem in found]
    return []


def _option_problems(
    place: str, given: Mapping[str, Any], fields: Iterable[str], *chosen: tuple[Registry[Any], str]
) -> Iterator[str]:
    """Yield the options that none of the chosen functions has, and those with a value of a wrong type or range.

    fields: the other keys of their section.
    """
    for key, value in given.items():
        functions = [registry[name] for registry, name in chosen if key in _options(registry, name)]
        if functions:
            function = functions[0]
            if isinstance(function, type):
                function = function.__init__  # type: ignore[misc]
            annotation = get_type_hints(function, include_extras=True).get(key, Any)
            try:
                TypeAdapter(annotation, config=ConfigDict(strict=True)).validate_python(value)
            except ValidationError as error:
                yield from (f"{place}.{key}: {line}" for line in error_lines(error))
            continue
        owners = [
            f": {key} is an option of {registry.kind} {' or '.join(names)}, not of {name}"
            for registry, name in chosen
            if (names := [each for each in registry if key in _options(registry, each)])
        ]
        known = {option for registry, name in chosen for option in _options(registry, name)} | {*fields}
        yield f"{place}{owners[0] if owners else f'.{key}: unknown key{near(key, known)}'}"


def _options(registry: Registry[Any], name: str) -> set[str]:
    return options_of(registry[name]).keys() - GIVEN


def _variant_problems(variant: Variant) -> list[str]:
    """List which parts of a variant are not compatible, each as it follows the variant's place in `params.yaml`."""
    head, policy = variant.strategy.head, variant.policy
    problems = HEADS[head].variant_problems(variant) or _features_problems(variant)
    if not HEADS[head].fitted:
        return problems
    if policy.mix is not None:
        problems.append(f": head: {head} needs hard labels, but {policy.mix.method} produces soft ones")
    if policy.views == "fresh":
        problems.append(f": head: {head} is fitted once, on all views; set the views of its augmentation to a number")
    return problems


def _features_problems(variant: Variant) -> list[str]:
    """List the reasons why a model has no such features, or tokens; it is built for its structure only."""
    strategy, family = variant.strategy, ClassifierFamily.find(variant.model)
    if family is None or not (strategy.blocks or HEADS[strategy.head].takes_tokens):
        return []
    if variant.backbone.pooling != "default":
        return [f": pooling: {variant.backbone.pooling} of the backbone has no effect on the features that this needs"]
    try:
        module = build_on_meta(variant.model, family.default_size(variant.model))
        if HEADS[strategy.head].takes_tokens:
            tokens = family.with_tokens(module, variant.model).eval()
            size, device = family.default_size(variant.model), next(module.parameters()).device
            try:
                tokens(torch.zeros(1, 3, size, size, device=device))
            except (AttributeError, TypeError):
                return [f": head: {strategy.head}: {variant.model} returns several maps or vectors, not tokens"]
        elif strategy.blocks:
            body = family.with_blocks(module, variant.model, strategy.blocks)
            for features in strategy.choices:
                body.spans(features or Features())
    except UserError as error:
        return [f": {problem}" for problem in error.problems]
    return []


def _prompt_problems(study: Study) -> list[str]:
    """List the variants whose prompts have other classes than the study's other variants or `data.order`."""
    found = study.prompts
    known = set(study.params.data.order or ()) or {name for prompts in found.values() for name in prompts.classes}
    return study.prompt_problems(known - set(study.params.data.labels.drop))


def _explain_problems(study: Study) -> list[str]:
    explain = study.params.explain
    return [
        f"explain.variants: {name} has head: {head}, whose outputs have no gradient for {method}; remove one of the two"
        for name in explain.variants
        if (head := study.variants[name].strategy.head) in HEADS and not HEADS[head].differentiable
        for method in explain.methods
        if method in METHODS and METHODS[method].needs_gradients
    ]


def _missing_files(study: Study) -> list[str]:
    """List the weights and images that the disk lacks."""
    files = {name: spec.weights for name, spec in study.params.backbones.items() if is_path(spec.weights)}
    missing = [
        f"backbones.{name}: weights: no file {file}; expected the path of a state dict"
        for name, file in files.items()
        if not Path(file).exists()
    ]
    return missing + _folder_problems(study)


def _library_problems(study: Study) -> list[str]:
    """List the models, weights, transforms, blocks and metrics that the libraries lack."""
    params = study.params
    size, masked = params.data.image_size, TASKS[params.study.task].per_pixel
    problems, sound = [], []
    for name, backbone in params.backbones.items():
        found = (SegmenterFamily if masked else ClassifierFamily).backbone_problems(name, backbone, size)
        problems += [f"backbones.{name}: {problem}" for problem in found]
        sound += [] if found else [name]
    of_policies = {name: policy_problems(each, size, masked=masked) for name, each in params.augmentation.items()}
    problems += [f"augmentation.{name}: {problem}" for name, found in of_policies.items() for problem in found]
    problems += [
        f"comparison.tta.{name}: {problem}"
        for name in params.comparison.tta
        if not of_policies[(variant := study.variants[name]).augmentation_name]
        and (problem := tta_problem(variant.policy, size, masked))
    ]
    known = metrics_of(params.study.task, requested=params.comparison.requested)
    problems += [
        f"comparison.reference.rows.{row}: no metric {name!r}{near(name, known)}"
        for row, figures in (params.comparison.reference.rows if params.comparison.reference else {}).items()
        for name in figures
        if name not in known
    ]
    return problems + _block_problems(study) + _part_problems(study, sound)


def _block_problems(study: Study) -> list[str]:
    problems = []
    for name, block in study.params.explain.blocks.items():
        model = study.params.backbones[name].model or name
        if ClassifierFamily.find(model) is not None:
            blocks = [known for known, _ in build_on_meta(model, study.params.data.image_size).named_modules()]
            if block not in blocks:
                problems.append(f"explain.blocks.{name}: {model} has no block {block!r}{near(block, blocks)}")
    return problems


def remarks(study: Study) -> list[str]:
    """List choices that are allowed in a valid study, but may not be intended; one per line."""
    return [
        f"variants.{name}: train: last: {last} is more than the {found} modules with parameters of {variant.model}; "
        "all of them train"
        for name, variant, body in _bodies(study, study.params.backbones)
        if not isinstance(variant.strategy.train, str)
        and (last := variant.strategy.train.last or 0) > (found := len(owners(body)))
    ]


def _part_problems(study: Study, backbones: Collection[str]) -> list[str]:
    """List the variants on `backbones` that lack the blocks or layers that their strategies train or recompute."""
    problems = []
    for name, variant, body in _bodies(study, backbones):
        model, strategy = variant.model, variant.strategy
        if strategy.gradient_checkpointing and not any(blocks_of(body)):
            problems.append(
                f"variants.{name}: gradient_checkpointing: {model} is a plain sequence of layers, without blocks to "
                "recompute"
            )
        if strategy.train != "all" and (problem := part_problem(body, strategy)):
            problems.append(f"variants.{name}: train: {problem} in {model}")
    return problems


def _bodies(study: Study, backbones: Collection[str]) -> Iterator[tuple[str, Variant, nn.Module]]:
    """Yield the variants on `backbones` that train a part of their body or recompute its blocks, with that body."""
    bodies: dict[str, nn.Module] = {}
    for name, variant in study.variants.items():
        model, strategy, backbone = variant.model, variant.strategy, variant.backbone_name
        partial = strategy.trains_backbone and strategy.train != "all"
        if not (partial or strategy.gradient_checkpointing) or backbone not in backbones:
            continue
        if backbone not in bodies and TASKS[study.params.study.task].per_pixel:
            bodies[backbone] = SegmenterFamily.of(model).build(model, variant.backbone, 1, 0.0)[0]
        elif backbone not in bodies:
            bodies[backbone] = build_on_meta(model, study.params.data.image_size)
            ClassifierFamily.of(model).remove_classifier(bodies[backbone], keep_spatial=False)
        yield name, variant, bodies[backbone]


def _folder_problems(study: Study) -> list[str]:
    data = study.params.data
    places = {"data.folder": data} | {f"data.external.{name}.folder": each for name, each in data.external.items()}
    return [
        problem.replace("data.folder", place, 1)
        for place, each in places.items()
        if each.source == "folder" and (problem := folder_problem(Path(each.folder)))
    ]
