"""A network in two parts: a frozen prefix, run once for each image view, and the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn

from medtransfer.features.graph import PROBE, Border, NotDivisibleError, fold_batch_norms, halve, pack, unpack
from medtransfer.models.network import Network


@dataclass(frozen=True)
class Division:
    """Two parts of a network that together compute what the whole computes.

    prefix: uint8 pixels [n, channels, size, size] to the activations at the border, packed as uint8
    [n, row_bytes]; nothing in it trains, and batch norms are folded: see `fold_batch_norms`. rest: packed activations
    to logits, over the network's own modules. name: says where the border is.
    """

    prefix: Callable[[torch.Tensor], torch.Tensor]
    rest: nn.Module
    border: tuple[Border, ...]
    name: str

    @property
    def row_bytes(self) -> int:
        """The size of one image's activations."""
        return sum(part.row_bytes for part in self.border)


class _Rest(nn.Module):
    """From packed activations to logits."""

    def __init__(self, border: tuple[Border, ...], body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.border, self.body, self.head = border, body, head

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.body(*unpack(rows, self.border)))
        return logits


def divide(network: Network, image_size: int) -> Division | None:
    """Divide a network, on its device, where its frozen layers end.

    A wholly frozen body divides behind its features. Elsewhere the border is found on the body's graph: see
    `halve`, which also says what is raised. None where nothing is frozen, or nothing that is worth keeping.
    """
    frozen = [True] if network.body_frozen else [not each.requires_grad for each in network.body.parameters()]
    if not any(frozen):
        return None
    device = network.normalise.mean.device
    if all(frozen):
        autocast = torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else None
        border = _features_border(network.body, image_size, device, autocast)
        body = _folded(network.body)
        return _division(border, lambda images: (body(images),), nn.Identity(), network, "features")
    pixels = torch.zeros(PROBE, 1, image_size, image_size, dtype=torch.uint8, device=device)
    pixels += torch.arange(image_size, dtype=torch.uint8, device=device)  # not blank: halves are compared on it
    halves = halve(network.body, network.normalise(pixels))
    return None if halves is None else _division(halves.border, halves.prefix, halves.rest, network, halves.name)


@lru_cache(maxsize=1)  # the runs of a variant share their body
def _features_border(
    body: nn.Module, image_size: int, device: torch.device, _autocast: torch.dtype | None
) -> tuple[Border, ...]:
    blank = torch.zeros(1, 3, image_size, image_size, device=device).to(memory_format=torch.channels_last)
    with torch.no_grad():
        return (Border.of(body(blank)),)


@lru_cache(maxsize=1)  # the same
def _folded(body: nn.Module) -> nn.Module:
    try:
        return fold_batch_norms(body)
    except NotDivisibleError:
        return body


def _division(
    border: tuple[Border, ...],
    prefix: Callable[[torch.Tensor], Sequence[torch.Tensor]],
    rest: nn.Module,
    network: Network,
    name: str,
) -> Division:
    def packed(pixels: torch.Tensor) -> torch.Tensor:
        return pack(prefix(network.normalise(pixels)), border)

    return Division(packed, _Rest(border, rest, network.head), border, name)
