"""The image towers of open_clip, as `open_clip/NAME[.PRETRAINED]`, and the embeddings of its text towers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

from medtransfer.models.families import (
    FAMILIES,
    IMAGENET_CLASSES,
    ClassifierFamily,
    Release,
    State,
    Statistics,
    TextEmbeddings,
)
from medtransfer.models.families.timm import fitted_by_timm
from medtransfer.models.tokens import BlockFeatures, ForwardFeatures, TimmBlocks, tokens_of
from medtransfer.models.torchvision_models import library
from medtransfer.study import Backbone
from medtransfer.util.errors import UserError, near

PREFIX, IMAGE, TEXT = "open_clip/", "visual.", "text tower: "
MISSING = "open_clip is not installed; pip install 'medtransfer[prompts]'"
SMALL_TEXT = {"layers": 1, "width": 8, "heads": 1, "vocab_size": 8}
SMALL_IMAGE = {"layers": 1, "width": 64, "head_width": 64, "patch_size": 32, "image_size": 32}
"""Small towers that replace the one that is not used."""

TEXTS_AT_ONCE = 64


class OpenClip(ClassifierFamily):
    """Models by the names of open_clip, and weights by its tags.

    `weights: DEFAULT` are those of the name's tag, or of open_clip's first one. Features are the embeddings of images
    before they are scaled to length 1, as in CLIP's own linear probe (Radford et al. 2021). Stored weights are those of
    both towers; those of texts have names that begin with `TEXT`.
    """

    hub_files = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin", "pytorch_model.bin")
    hub_config = "open_clip_config.json"

    def names(self) -> list[str]:
        """List the architectures; none if open_clip is not installed."""
        return [PREFIX + name for name in _models()] if find_spec("open_clip") else []

    def has(self, model: str) -> bool:
        """Return whether a name has the prefix; `problems` says if open_clip has no such model."""
        return model.startswith(PREFIX)

    def problems(self, model: str, spec: Backbone, image_size: int) -> list[str]:
        """Try to build the model for the image size, on one image without values."""
        if find_spec("open_clip") is None:
            return [MISSING]
        arch = _parts(model)[0]
        if arch not in _models():
            return [f"no model {model!r}{near(PREFIX + arch, self.names())}"]
        if spec.pooling != "default":
            return [f"pooling: {spec.pooling} is not for models of open_clip, whose features are their own embeddings"]
        return self.weights_problems(model, spec) or self.trial_problems(model, spec, image_size)

    def build(self, model: str, image_size: int, outputs: int = IMAGENET_CLASSES) -> nn.Module:
        """Build an image tower for square images of this size; its outputs are always embeddings."""
        tower: nn.Module = _create(model, force_image_size=image_size, text_cfg=dict(SMALL_TEXT)).visual
        if hasattr(tower, "output_tokens"):  # CoCa
            tower.output_tokens = False  # type: ignore[assignment]
        return tower

    def remove_classifier(self, module: nn.Module, keep_spatial: bool) -> list[nn.Module]:
        """Keep everything: the embedding is the features; return the layer that classified them, which is any."""
        return [nn.Linear(1, IMAGENET_CLASSES)]

    def with_tokens(self, module: nn.Module, model: str) -> nn.Module:
        """See `ClassifierFamily`; tokens are not projected to the space of embeddings."""
        return TowerTokens(module)

    def with_blocks(self, module: nn.Module, model: str, blocks: int) -> BlockFeatures:
        """See `ClassifierFamily`; class tokens and means are not projected to the space of embeddings."""
        if hasattr(module, "trunk"):
            return TimmBlocks(cast(nn.Module, module.trunk), blocks)
        if not hasattr(module, "transformer"):
            raise UserError(f"features: {model} is not a transformer")
        return TowerBlocks(module, blocks)

    def classifier_parameters(self, module: nn.Module) -> set[str]:
        """Return none."""
        return set()

    def default_size(self, model: str) -> int:
        """Return the size that the weights were trained at."""
        size = _config(model)["vision_cfg"].get("image_size", 224)
        return int(size if isinstance(size, int) else size[0])

    def weights_of(self, model: str) -> list[str]:
        """List the tags of an architecture, open_clip's first one first, or that of the name."""
        arch, tag = _parts(model)
        return [tag] if tag else _tags(arch)

    def licence(self, model: str) -> str:
        """Return the repository that states the licence: open_clip itself does not."""
        arch, tag = _parts(model)[0], next(iter(self.weights_of(model)), "")
        hub = library("open_clip").get_pretrained_cfg(arch, tag).get("hf_hub", "")
        return f"see {hub.rstrip('/')} on the hub" if hub else ""

    def release(self, model: str, weights: str) -> Release:
        """Look weights up by a tag, `DEFAULT` or `hf-hub:owner/name`.

        Raises `UserError` if there are none, or if they need another activation than the model has.
        """
        if weights.startswith("hf-hub:"):
            hub = weights.removeprefix("hf-hub:")
            file_name = f"{hub.replace('/', '--')}.safetensors"
            return Release("hf-hub", hub, "", file_name, "", *self.input_statistics(model), hub)
        arch, tag = _parts(model)
        if tag and weights not in ("DEFAULT", tag):
            raise UserError(f"no weights {weights!r} for {model}, whose name says {tag}; omit one of the two")
        tag = tag or (weights if weights != "DEFAULT" else next(iter(_tags(arch)), ""))
        config = library("open_clip").get_pretrained_cfg(arch, tag)
        if not config:
            raise UserError(f"no weights {tag!r} for {PREFIX}{arch}; it has {', '.join(_tags(arch)) or 'none'}")
        if problem := self.config_problem(model, {"model_cfg": config}):
            raise UserError(f"{tag}: {problem}")
        hub = "/".join(config["hf_hub"].split("/")[:2])
        name = f"{arch}.{tag}"
        return Release("open_clip", name, "", f"{name}.safetensors", "", *_statistics(config), hub)

    def config_problem(self, model: str, config: dict[str, Any]) -> str | None:
        """Compare the activation: weights do not contain it, and a wrong one changes features without an error."""
        trained = bool(config.get("model_cfg", {}).get("quick_gelu", False))
        if trained == bool(_config(model).get("quick_gelu", False)):
            return None
        arch = _parts(model)[0]
        other = f"{arch}-quickgelu" if trained else arch.removesuffix("-quickgelu")
        return f"trained with {'QuickGELU' if trained else 'GELU'}, unlike {PREFIX}{arch}; use {PREFIX}{other}"

    def input_statistics(self, model: str) -> tuple[Statistics, Statistics]:
        """Return the mean and standard deviation of the default weights, or of OpenAI's CLIP."""
        tag = next(iter(self.weights_of(model)), "")
        return _statistics(library("open_clip").get_pretrained_cfg(_parts(model)[0], tag))

    def rename(self, module: nn.Module, state: State) -> State:
        """Return the image tower by its own names, and the rest by `TEXT`; a tower alone is left as it is."""
        if not any(name.startswith(IMAGE) for name in state):
            return state
        return {
            name.removeprefix(IMAGE) if name.startswith(IMAGE) else TEXT + name: value for name, value in state.items()
        }

    def fit_state(self, module: nn.Module, state: State) -> State:
        """Return the weights of the image tower, with position embeddings interpolated as open_clip and timm do."""
        image = {name: value for name, value in state.items() if not name.startswith(TEXT)}
        if hasattr(module, "trunk"):
            trunk = {name[6:]: value for name, value in image.items() if name.startswith("trunk.")}
            fitted = fitted_by_timm(cast(nn.Module, module.trunk), trunk)
            rest = {name: value for name, value in image.items() if not name.startswith("trunk.")}
            return rest | {f"trunk.{name}": value for name, value in fitted.items()}
        key = "positional_embedding" if "positional_embedding" in image else "attnpool.positional_embedding"
        grid = getattr(module, "grid_size", None) or int(cast(Any, module).image_size) // 32
        named = {IMAGE + "positional_embedding": image[key]}
        library("open_clip.model").resize_pos_embed(named, SimpleNamespace(visual=SimpleNamespace(grid_size=grid)))
        return image | {key: named[IMAGE + "positional_embedding"]}

    def text_problem(self, model: str) -> str | None:
        """See `ClassifierFamily`; text towers and tokenizers of other libraries are not supported."""
        if find_spec("open_clip") is None:
            return MISSING
        text = _config(model)["text_cfg"]
        other = text.get("hf_model_name") or text.get("hf_tokenizer_name")
        return f"{model} reads texts by transformers' {other}; use a model with CLIP's own tokenizer" if other else None

    def embed_texts(self, model: str, state: State, texts: Sequence[str]) -> TextEmbeddings:
        """See `ClassifierFamily`; texts longer than the context of the model are cut."""
        if problem := self.text_problem(model):
            raise UserError(problem)
        stored = {name.removeprefix(TEXT): value for name, value in state.items() if name.startswith(TEXT)}
        if "logit_scale" not in stored:
            raise UserError(f"the weights of {model} have no text tower; prompts need those of the whole model")
        clip = _create(model, vision_cfg=dict(SMALL_IMAGE))
        if hasattr(clip, "text"):
            stored = library("open_clip.model").convert_to_custom_text_state_dict(stored)
        own = {name: value for name, value in clip.state_dict().items() if not name.startswith(IMAGE)}
        for name in ("logit_scale", "logit_bias"):
            if name in own and name in stored:
                stored[name] = stored[name].reshape(own[name].shape)
        wrong = sorted(key for key in own if key not in stored or stored[key].shape != own[key].shape)
        if wrong:
            raise UserError(f"the weights of {model} do not fit its text tower: {', '.join(wrong[:3])}")
        clip.load_state_dict({name: stored[name] for name in own}, strict=False)
        tokens = library("open_clip").get_tokenizer(_parts(model)[0])(list(texts))
        with torch.inference_mode():
            rows = [clip.eval().encode_text(part) for part in tokens.split(TEXTS_AT_ONCE)]
        bias = float(stored["logit_bias"]) if getattr(clip, "logit_bias", None) is not None else 0.0
        return TextEmbeddings(functional.normalize(torch.cat(rows), dim=1), float(stored["logit_scale"].exp()), bias)


class TowerTokens(ForwardFeatures):
    """An image tower without its pooling."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images [n, 3, h, w] to tokens [n, tokens, width]: all of a transformer, or the places of the last map."""
        body = cast(Any, self.body)
        if hasattr(body, "trunk"):
            trunk = body.trunk
            return tokens_of(trunk.forward_features(images), str(getattr(trunk, "output_fmt", "")) == "NHWC")
        if hasattr(body, "transformer"):
            found: torch.Tensor = body.transformer(body._embeds(images))
            return found
        maps = body.stem(images)
        for layer in (body.layer1, body.layer2, body.layer3, body.layer4):
            maps = layer(maps)
        return tokens_of(maps)


class TowerBlocks(BlockFeatures):
    """The blocks of a transformer of open_clip's own."""

    def __init__(self, body: nn.Module, blocks: int) -> None:
        layers = cast(Any, body).transformer
        super().__init__(body, blocks, layers.width, layers.layers, has_token=True)

    def last_blocks(self, images: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """See `BlockFeatures`."""
        body = cast(Any, self.body)
        options = {"normalize_intermediates": True, "output_fmt": "NLC", "output_extra_tokens": True}
        found = body.forward_intermediates(images, indices=self.blocks, intermediates_only=True, **options)
        return list(zip(found["image_intermediates"], found["image_intermediates_prefix"], strict=True))


def _models() -> list[str]:
    return list(library("open_clip").list_models())


@cache
def _tags(arch: str) -> list[str]:
    return list(library("open_clip").list_pretrained_tags_by_model(arch))


def _parts(model: str) -> tuple[str, str]:
    """Divide a name into architecture and tag, which may be empty."""
    arch, _, tag = model.removeprefix(PREFIX).partition(".")
    return arch, tag


def _config(model: str) -> dict[str, Any]:
    return dict(library("open_clip").get_model_config(_parts(model)[0]))


def _statistics(config: dict[str, Any]) -> tuple[Statistics, Statistics]:
    clip = library("open_clip")
    return tuple(config.get("mean", clip.OPENAI_DATASET_MEAN)), tuple(config.get("std", clip.OPENAI_DATASET_STD))


def _create(model: str, **options: Any) -> Any:
    with _without_warnings():
        return library("open_clip").create_model(
            _parts(model)[0], load_weights=False, pretrained_text=False, device=torch.get_default_device(), **options
        )


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence the warning of each model that it has no weights, which are loaded later."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


FAMILIES.register("open_clip", OpenClip())
