"""From a variant to the network that it trains."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from medtransfer.data.images.packed import Images, pixel_statistics
from medtransfer.models.backbones import build_bare
from medtransfer.models.freezing import freeze
from medtransfer.models.heads import HEADS, build_head
from medtransfer.models.network import Network, Normalise, to_channels_last
from medtransfer.models.surgery import (
    feature_width,
    remove_auxiliary_heads,
    replace_auxiliary_heads,
    separate,
)
from medtransfer.models.weights import WeightsCard, load_weights
from medtransfer.study import Variant
from medtransfer.util.files import sha256_of_file
from medtransfer.util.seeds import Key, seed_from


@dataclass(frozen=True, eq=False)
class Weights:
    """What `weights@backbone` wrote: the state dict (None for `weights: none`), its card and its file."""

    state: dict[str, torch.Tensor] | None
    card: WeightsCard
    file: Path | None

    @cached_property
    def sha256(self) -> str | None:
        """Hash the file."""
        return None if self.state is None or self.file is None else sha256_of_file(self.file)


@dataclass(frozen=True)
class Body:
    """A backbone without its classifier, the layers of that, and how many features there are."""

    module: nn.Module
    own: list[nn.Module]
    width: int


def read_weights(folder: Path) -> Weights:
    """Read a folder that the weights stage wrote."""
    card = WeightsCard.model_validate(json.loads((folder / "card.json").read_text(encoding="utf-8")))
    file = folder / "weights.safetensors"
    return Weights(load_file(file), card, file) if file.exists() else Weights(None, card, None)


def assemble(
    variant: Variant,
    weights: Weights,
    classes: int,
    image_size: int,
    normalise: Normalise,
    key: tuple[Key, ...],
) -> Network:
    """Build the variant's network: body with its weights, a new head, frozen as the strategy says.

    Everything random is drawn from `key`, such as (seed, fold), on the CPU, so that every device starts
    from the same numbers; seeding that generator alone takes far less time than seeding those of all devices.
    Networks whose pretrained body never trains share it.
    """
    strategy = variant.strategy
    keep_spatial = HEADS[strategy.head].keeps_spatial
    if strategy.init == "pretrained" and not strategy.trains_backbone:
        body = _shared_body(variant.model, image_size, keep_spatial, weights)
    else:
        torch.default_generator.manual_seed(seed_from("init", *key))
        body = _build_body(variant.model, image_size, keep_spatial, weights if strategy.init == "pretrained" else None)
    if strategy.train == "all":
        replace_auxiliary_heads(body.module, classes)
    else:
        remove_auxiliary_heads(body.module)
    torch.default_generator.manual_seed(seed_from("head", *key))
    head = build_head(strategy, body.width, classes, body.own)
    network = Network(normalise, body.module, head)
    network.weights_sha256 = weights.sha256 if strategy.init == "pretrained" else None
    to_channels_last(head)
    freeze(network, strategy)
    return network.eval()


@lru_cache(maxsize=1)
def _shared_body(model: str, image_size: int, keep_spatial: bool, weights: Weights) -> Body:
    return _build_body(model, image_size, keep_spatial, weights)


def _build_body(model: str, image_size: int, keep_spatial: bool, weights: Weights | None) -> Body:
    """Build a backbone with weights, or with random numbers from torch's generator where there are none."""
    module = build_bare(model, image_size)
    if weights is not None:
        if weights.state is None:
            raise ValueError(f"{model}: init: pretrained without weights")
        load_weights(module, weights.state, str(weights.file))
        if weights.card.transform_input:
            module.transform_input = True  # type: ignore[assignment]
    own = separate(module, keep_spatial)
    to_channels_last(module)
    return Body(module, own, feature_width(module, image_size))


def normalisation(variant: Variant, weights: Weights, images: Images, train_rows: np.ndarray) -> Normalise:
    """Give the mean and standard deviation that the backbone's weights expect, or the training rows' own."""
    trained = weights.state is not None and variant.strategy.init == "pretrained"
    if variant.backbone.normalise == "weights" and trained:
        return Normalise(weights.card.mean, weights.card.std)
    mean, std = pixel_statistics(images, train_rows)
    return Normalise(mean, std)
