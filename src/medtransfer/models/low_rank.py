"""Low-rank adapters of a network's layers, as parametrizations of their weights.

torch computes a parametrized weight wherever it is read. Layers that are called, attention that reads the weights of
its layers, as in Swin transformers, BEiT and `nn.MultiheadAttention`, and standardised convolutions are thus adapted
alike, frozen weights keep their bits, and merging stores the very weight that was computed. (peft adapts the calls of
layers: those of `nn.MultiheadAttention` it adds to the frozen weight and subtracts in every pass, which changes its
last bits, and weights that attention reads it leaves unadapted without a word.)
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.utils import parametrize

from medtransfer.models.network import Network
from medtransfer.models.trained_part import lora_weights
from medtransfer.study import Strategy
from medtransfer.util.seeds import Key, seed_from


class LowRank(nn.Module):
    """W + alpha / rank * B A: Hu et al. 2022, "LoRA: Low-Rank Adaptation of Large Language Models".

    W is a weight [outputs, ...], seen as a matrix. A is drawn as its authors do, B is 0, so that nothing changes until
    a step is made.
    """

    def __init__(self, weight: torch.Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.empty(rank, weight[0].numel()))
        self.b = nn.Parameter(torch.zeros(len(weight), rank))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))
        self.scale = alpha / rank

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the adapted weight."""
        return weight + self.scale * (self.b @ self.a).view(weight.shape)


def add_adapters(network: Network, strategy: Strategy, key: tuple[Key, ...]) -> None:
    """Add the adapters of a strategy to the body of a network, in place, and freeze the weights below them.

    Does nothing if the strategy has none. A is drawn from `key`.
    """
    if isinstance(strategy.train, str) or (lora := strategy.train.lora) is None:
        return
    torch.default_generator.manual_seed(seed_from("lora", *key))
    for layer, name in list(lora_weights(network.body, lora)):
        weight = getattr(layer, name).requires_grad_(False)
        parametrize.register_parametrization(layer, name, LowRank(weight, lora.rank, lora.alpha), unsafe=True)


def merge_adapters(network: Network) -> None:
    """Replace each adapted weight by its value, in place; all names are then those of a network without adapters."""
    for module in list(network.body.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
