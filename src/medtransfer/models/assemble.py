"""From a variant to the network that it trains."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from medtransfer.data.images.packed import Images, pixel_statistics
from medtransfer.models.families import ClassifierFamily, State
from medtransfer.models.heads import HEADS, build_head
from medtransfer.models.network import Network, Normalise, to_channels_last
from medtransfer.models.tokens import BlockFeatures
from medtransfer.models.weights import load_weights
from medtransfer.models.weights_card import WeightsCard
from medtransfer.study import Variant
from medtransfer.util.files import sha256_of_file
from medtransfer.util.seeds import Key, seed_from

TOKENS = "tokens"


@dataclass(frozen=True, eq=False)
class Weights:
    """Output of the stage `weights@backbone`: the state dict (None for `weights: none`), its card and its file."""

    state: State | None
    card: WeightsCard
    file: Path | None

    @cached_property
    def sha256(self) -> str | None:
        """The hash of the file."""
        return None if self.state is None or self.file is None else sha256_of_file(self.file)


def read_weights(folder: Path) -> Weights:
    """Read a folder that the stage `weights` wrote."""
    card = WeightsCard.model_validate_json((folder / "card.json").read_text(encoding="utf-8"))
    file = folder / "weights.safetensors"
    return Weights(load_file(file), card, file) if file.exists() else Weights(None, card, None)


@dataclass(frozen=True)
class Body:
    """A backbone without its classifier, the layers of the classifier, and the number of features."""

    module: nn.Module
    classifier: list[nn.Module]
    width: int


def assemble(
    variant: Variant,
    weights: Weights,
    classes: int,
    image_size: int,
    normalise: Normalise,
    key: tuple[Key, ...],
) -> Network:
    """Build a variant's network: a body with its weights and a new head, frozen as its strategy says.

    Everything random is drawn from `key`, such as (seed, fold), on the CPU, so that every device starts from the same
    numbers; seeding only that generator is much faster than seeding those of all devices. Networks whose pretrained
    body never trains share it.
    """
    strategy = variant.strategy
    kind = HEADS[strategy.head]
    keep_spatial = kind.keeps_spatial
    output = TOKENS if kind.takes_tokens else strategy.blocks or variant.backbone.pooling
    if strategy.init == "pretrained" and not strategy.trains_backbone:
        body = _shared_body(variant.model, output, image_size, keep_spatial, weights)
    else:
        torch.default_generator.manual_seed(seed_from("init", *key))
        pretrained = weights if strategy.init == "pretrained" else None
        body = _build_body(variant.model, output, image_size, keep_spatial, pretrained)
    family = ClassifierFamily.of(variant.model)
    family.replace_auxiliary_heads(body.module, classes if strategy.train == "all" else None)
    torch.default_generator.manual_seed(seed_from("head", *key))
    features = next(iter(strategy.choices)) if strategy.features is None else strategy.features
    spans = body.module.spans(features) if isinstance(body.module, BlockFeatures) and features else None
    head = build_head(strategy, body.width, classes, body.classifier, spans)
    network = Network(normalise, body.module, head)
    network.weights_sha256 = weights.sha256 if strategy.init == "pretrained" else None
    to_channels_last(head)
    network.freeze(strategy)
    return network.eval()


@lru_cache(maxsize=1)
def _shared_body(model: str, output: str | int, image_size: int, keep_spatial: bool, weights: Weights) -> Body:
    return _build_body(model, output, image_size, keep_spatial, weights)


def _build_body(model: str, output: str | int, image_size: int, keep_spatial: bool, weights: Weights | None) -> Body:
    """Build a backbone with weights, or with random numbers from torch's generator if there are none.

    output: features by the name of their pooling, `tokens`, or those of N last blocks.
    """
    family = ClassifierFamily.of(model)
    module = family.build(model, image_size)
    if weights is not None:
        if weights.state is None:
            raise ValueError(f"{model}: init: pretrained without weights")
        optional = family.classifier_parameters(module)
        load_weights(module, family.fit_state(module, weights.state), optional, str(weights.file))
        if weights.card.transform_input:
            module.transform_input = True  # type: ignore[assignment]
    classifier = family.remove_classifier(module, keep_spatial)
    if isinstance(output, int):
        module = family.with_blocks(module, model, output)
    elif output == TOKENS:
        module = family.with_tokens(module, model)
    else:
        module = family.with_pooling(module, model, output)
    to_channels_last(module)
    training = module.training
    with torch.no_grad():
        features = module.eval()(torch.zeros(1, 3, image_size, image_size))
    return Body(module.train(training), classifier, int(features.shape[-1]))


def normalisation(variant: Variant, weights: Weights, images: Images, train_rows: np.ndarray) -> Normalise:
    """Return the normalisation that the backbone's weights expect, or that of the training rows."""
    trained = weights.state is not None and variant.strategy.init == "pretrained"
    if variant.backbone.normalise == "weights" and trained:
        return Normalise(weights.card.mean, weights.card.std)
    return Normalise(*pixel_statistics(images, train_rows))
