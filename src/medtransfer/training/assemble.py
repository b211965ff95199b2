"""From a variant to the network that it trains."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from medtransfer.backbones.bare import build_bare
from medtransfer.backbones.freezing import freeze
from medtransfer.backbones.network import Network, Normalise, to_channels_last
from medtransfer.backbones.surgery import (
    feature_width,
    own_head,
    remove_auxiliary_heads,
    replace_auxiliary_heads,
    separate,
)
from medtransfer.backbones.weights import WeightsCard, load_weights
from medtransfer.dataset.statistics import pixel_statistics
from medtransfer.heads.build import build_head
from medtransfer.seeding import Key, seed_from
from medtransfer.study import Variant


@dataclass(frozen=True)
class Weights:
    """What `weights@backbone` wrote: the state dict (None for `weights: none`), its card and its file."""

    state: dict[str, torch.Tensor] | None
    card: WeightsCard
    file: Path | None


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
    from the same numbers.
    """
    strategy = variant.strategy
    torch.manual_seed(seed_from("init", *key))
    model = build_bare(variant.model, image_size)
    if strategy.init == "pretrained":
        if weights.state is None:
            raise ValueError(f"{variant.name}: init: pretrained without weights")
        load_weights(model, weights.state, str(weights.file))
        if weights.card.transform_input:
            model.transform_input = True  # type: ignore[assignment]
    own = separate(model, keep_spatial=strategy.head == "own")
    if strategy.train == "all":
        replace_auxiliary_heads(model, classes)
    else:
        remove_auxiliary_heads(model)
    width = feature_width(model, image_size)
    if strategy.head == "own":
        head: torch.nn.Module = own_head(own, classes, width)
        _set_dropout(head, strategy.dropout)
    else:
        head = build_head(strategy, width, classes)
    network = Network(normalise, model, head)
    to_channels_last(network)
    freeze(network, strategy)
    return network.eval()


def normalisation(variant: Variant, weights: Weights, images: np.ndarray, train_rows: np.ndarray) -> Normalise:
    """Give the mean and standard deviation that the backbone's weights expect, or the training rows' own."""
    trained = weights.state is not None and variant.strategy.init == "pretrained"
    if variant.backbone.normalise == "weights" and trained:
        return Normalise(weights.card.mean, weights.card.std)
    mean, std = pixel_statistics(images, train_rows)
    return Normalise(mean, std)


def _set_dropout(head: torch.nn.Module, dropout: float | None) -> None:
    if dropout is not None:
        for module in head.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = dropout
