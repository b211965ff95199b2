"""The same network with random weights, whose maps cannot know anything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from medtransfer.backbones.network import Network
from medtransfer.backbones.weights import without_weights
from medtransfer.study import Variant
from medtransfer.training.assemble import Weights, assemble


def untrained(card: dict[str, Any], trained: Network, fold: int, seed: int) -> Network:
    """Build the network of a model's card with a random body and head, and the trained one's normalisation.

    A head that is fitted rather than trained knows nothing before and gives no gradient; a random dense layer stands in
    for it. Its weights are drawn from (fold, seed), apart from those that the training began with.
    """
    variant = Variant.from_card(card)
    changes: dict[str, Any] = {"init": "random", "train": "head"}
    if variant.strategy.fits_head:
        changes["head"] = "linear"
    variant = replace(variant, strategy=variant.strategy.model_copy(update=changes))
    weights = Weights(None, without_weights(variant.model), None)
    key = ("untrained", seed, fold)
    return assemble(variant, weights, len(card["classes"]), card["image_size"], trained.normalise, key)
