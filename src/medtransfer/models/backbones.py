"""A model as its authors built it, by name, before any weights are loaded or heads replaced."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from medtransfer.models.small_cnns import BASELINES, LEAST_SIZE
from medtransfer.models.torchvision_models import models
from medtransfer.study import Backbone
from medtransfer.util.errors import UserError, near

IMAGENET_CLASSES = 1000
SPECIAL_WEIGHTS = ("none", "simulated")
INCEPTION_AUXILIARY_SIZE = 299
"""Below this size Inception v3's auxiliary head has too few pixels for its 5x5 convolution."""


def model_names() -> list[str]:
    """List every model that can be named: torchvision's classification models and the two baselines."""
    return [*models.list_models(module=models), *BASELINES]


def weights_enum(model: str, weights: str) -> Any:
    """Give torchvision's weights of that name for a model; raise `UserError` with the names there are."""
    enum = models.get_model_weights(model)
    if weights not in enum.__members__:
        members = ", ".join(enum.__members__)
        raise UserError(f"no weights {weights!r} for {model}; torchvision has {members}")
    return enum[weights]


def is_path(weights: str) -> bool:
    """Say whether a `weights` value names a file rather than a member of an enum."""
    return "/" in weights or weights.endswith((".pth", ".pt", ".bin", ".safetensors"))


def build_bare(model: str, image_size: int, num_classes: int = IMAGENET_CLASSES) -> nn.Module:
    """Build a model with random weights for square images of `image_size` pixels.

    Auxiliary heads are there where the model has them and the images are large enough.
    """
    if model in BASELINES:
        return BASELINES[model](num_classes)
    options: dict[str, Any] = {}
    if model == "googlenet":
        options = {"aux_logits": True, "init_weights": False}
    elif model == "inception_v3":
        options = {"aux_logits": image_size >= INCEPTION_AUXILIARY_SIZE, "init_weights": False}
    elif model.startswith("vit_"):
        options = {"image_size": image_size}
    elif model.startswith("maxvit_"):
        options = {"input_size": (image_size, image_size)}
    built: nn.Module = models.get_model(model, weights=None, num_classes=num_classes, **options)
    return built


def build_hollow(model: str, image_size: int) -> nn.Module:
    """Build a model for its modules alone, on torch's device without numbers where that can be: none are drawn."""
    try:
        with torch.device("meta"):
            return build_bare(model, image_size)
    except NotImplementedError:  # RegNets compute their widths with tensors
        return build_bare(model, image_size)


def backbone_problems(name: str, spec: Backbone, image_size: int) -> list[str]:
    """List what makes a backbone of the params impossible; empty where it can be built."""
    model = spec.model or name
    if model not in model_names():
        key = "model" if spec.model else "the name of a backbone is its model unless it says another"
        return [f"no model {model!r} ({key}){near(model, model_names())}"]
    problems = []
    if model in BASELINES:
        if spec.weights not in SPECIAL_WEIGHTS and not is_path(spec.weights):
            problems.append(f"weights: {spec.weights} is torchvision's, and {model} has no such weights; use none")
    elif spec.weights not in SPECIAL_WEIGHTS and not is_path(spec.weights):
        try:
            weights_enum(model, spec.weights)
        except UserError as error:
            problems += [f"weights: {problem}" for problem in error.problems]
    return problems + _size_problems(model, image_size, "data.image_size") + pretraining_problems(model, spec)


def pretraining_problems(model: str, spec: Backbone) -> list[str]:
    """List what makes a pretraining on simulated images impossible; empty where there is none."""
    return _size_problems(model, spec.pretraining.size, "pretraining.size") if spec.weights == "simulated" else []


def _size_problems(model: str, size: int, key: str) -> list[str]:
    if model in BASELINES:
        least, multiple = LEAST_SIZE, 1
    elif model.startswith("vit_"):
        least = multiple = int(model.rsplit("_", 1)[-1])
    elif model.startswith("maxvit_"):
        least = multiple = 224
    else:
        least, multiple = max(models.get_model_weights(model).DEFAULT.meta["min_size"]), 1
    if size < least:
        return [f"{model} needs images of at least {least} pixels, but {key} is {size}"]
    if size % multiple:
        return [f"{model} needs a multiple of {multiple} pixels, but {key} is {size}"]
    return []
