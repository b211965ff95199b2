"""The block of a backbone whose activations are mapped: found on the model, or named."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from medtransfer.models.network import Network
from medtransfer.util.errors import UserError, near

VISION_TRANSFORMER, SWIN = "VisionTransformer", "SwinTransformer"
LAST_OF_TRANSFORMER = "ln_1"
"""The input of the last attention of a vision transformer; after it, only the class token affects the result."""


@dataclass(frozen=True)
class Block:
    """A block: its name in the body, and the module whose output is its activations [n, channels, rows, columns]."""

    name: str
    grid: nn.Module


class Grid(nn.Module):
    """A block whose activations pass through `grid` as [n, channels, rows, columns], whatever its own layout.

    Convolutional blocks return [n, channels, rows, columns]; Swin transformers [n, rows, columns, channels]; vision
    transformers a class token and one token per patch, [n, 1 + rows x columns, channels].
    """

    def __init__(self, block: nn.Module, channels_last: bool) -> None:
        super().__init__()
        self.block, self.channels_last, self.grid = block, channels_last, nn.Identity()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the block's output, passed through `grid`."""
        outputs = self.block(inputs)
        if outputs.ndim == 3:
            side = math.isqrt(outputs.shape[1] - 1)
            patches = outputs[:, 1:].transpose(1, 2).unflatten(2, (side, side))
            return torch.cat([outputs[:, :1], self.grid(patches).flatten(2).transpose(1, 2)], dim=1)
        if self.channels_last:
            return self.grid(outputs.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.grid(outputs).clone()  # the next layer may write in place


def open_block(network: Network, name: str | None, size: int, where: str) -> Block:
    """Find the block `name` of the network's body, or the last spatial one, and wrap it in a `Grid`, in place.

    Raises `UserError`, starting with `where` the name was given, if there is no such block or its output is not a
    grid of more than one cell.
    """
    body = network.body
    if name is None:
        name = find_block(network, size)
    elif name not in dict(body.named_modules()) or name == "":
        known = [known for known, _ in body.named_modules() if known]
        raise UserError(f"{where}: no block {name!r}{near(name, known)}")
    grid = Grid(body.get_submodule(name), type(body).__name__ == SWIN)
    body.set_submodule(name, grid)
    shapes: list[torch.Size] = []
    hook = grid.grid.register_forward_hook(lambda _module, _inputs, output: shapes.append(output.shape))
    try:
        _run_blank(network, size)
    except (AttributeError, TypeError, RuntimeError):
        shapes = []
    hook.remove()
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][2] * shapes[0][3] < 2:
        raise UserError(f"{where}: block {name!r} does not return a spatial grid of activations; name an earlier block")
    return Block(name, grid.grid)


def find_block(network: Network, size: int) -> str:
    """Return the name of the last block whose activations are a spatial grid, for images of `size` pixels.

    In a convolutional network, it is the last and outermost module with the grid of the last convolution that has more
    than one cell: the activation after it, or the residual or dense stage that ends with it.
    """
    body = network.body
    if type(body).__name__ == VISION_TRANSFORMER:
        layers = cast("Any", body).encoder.layers
        return f"encoder.layers.{list(layers.named_children())[-1][0]}.{LAST_OF_TRANSFORMER}"
    if type(body).__name__ == SWIN:
        return "features"
    ended: list[tuple[str, nn.Module, torch.Size]] = []

    def watch(name: str, module: nn.Module) -> Any:
        def note(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor) and output.ndim == 4 and output.shape[2] * output.shape[3] > 1:
                ended.append((name, module, output.shape[2:]))

        return module.register_forward_hook(note)

    hooks = [watch(name, module) for name, module in body.named_modules() if name]
    _run_blank(network, size)
    for hook in hooks:
        hook.remove()
    last = [shape for _, module, shape in ended if isinstance(module, nn.Conv2d)][-1]
    names = [name for name, _, _ in ended]
    on_grid = [name for name, _, shape in ended if shape == last and names.count(name) == 1]
    return min(reversed(on_grid), key=lambda name: name.count("."))


def _run_blank(network: Network, size: int) -> None:
    device = next(network.parameters()).device
    with torch.no_grad():
        network(torch.zeros(1, 1, size, size, dtype=torch.uint8, device=device))
