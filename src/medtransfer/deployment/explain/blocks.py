"""The block of a backbone whose activations are mapped: found on the model, or named."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from medtransfer.models.blocks import blocks_of
from medtransfer.models.network import Network
from medtransfer.util.errors import UserError, near


@dataclass(frozen=True)
class Block:
    """A block: its name in the body, and the module whose output is its activations [n, channels, rows, columns]."""

    name: str
    grid: nn.Module


class Grid(nn.Module):
    """A block whose activations pass through `grid` as [n, channels, rows, columns], whatever its own layout.

    Convolutional blocks return [n, channels, rows, columns]; Swin transformers [n, rows, columns, channels]; vision
    transformers `extra` tokens, such as that of the class, and one token per patch, [n, extra + rows x columns,
    channels].
    """

    def __init__(self, block: nn.Module, channels_last: bool, extra: int) -> None:
        super().__init__()
        self.block, self.channels_last, self.extra, self.grid = block, channels_last, extra, nn.Identity()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the block's output, passed through `grid`."""
        outputs = self.block(inputs)
        if outputs.ndim == 3:
            side = math.isqrt(outputs.shape[1] - self.extra)
            patches = outputs[:, self.extra :].transpose(1, 2).unflatten(2, (side, side))
            return torch.cat([outputs[:, : self.extra], self.grid(patches).flatten(2).transpose(1, 2)], dim=1)
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
    tower = getattr(body, "body", body)  # of a body whose tokens are pooled by another module than its own
    # tokens before those of patches: timm's models say their number; torchvision's have a class token
    extra = int(getattr(tower, "num_prefix_tokens", hasattr(tower, "class_token")))
    grid = Grid(body.get_submodule(name), _is_channels_last(body), extra)
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
    than one cell: the activation after it, or the residual or dense stage that ends with it. In a transformer, it is
    its last block, or the input of its last attention if only the class token affects the result from there on.
    """
    body = network.body
    if _is_channels_last(body):
        return next(name for name, _ in body.named_modules() if name.rpartition(".")[2] in ("features", "layers"))
    ended = _outputs(network, size)
    blocks = set(blocks_of(body))
    grids = [item for item in ended if len(item[2]) == 4 and math.prod(item[2][2:]) > 1]
    last = [item for item in grids if isinstance(item[1], nn.Conv2d)][-1]
    tokens = [item for item in ended[ended.index(last) :] if len(item[2]) == 3 and item[1] in blocks]
    if tokens:
        name, block, _ = tokens[-1]
        parts = [inner for inner, module, shape in ended if len(shape) == 3 and module in set(block.children())]
        pooling = getattr(body, "pooling", getattr(getattr(body, "body", body), "global_pool", "token"))
        return parts[0] if pooling == "token" else name
    called = [name for name, _, _ in grids]
    on_grid = [name for name, _, shape in grids if shape[2:] == last[2][2:] and called.count(name) == 1]
    return min(reversed(on_grid), key=lambda name: name.count("."))


def _is_channels_last(body: nn.Module) -> bool:
    return getattr(body, "output_fmt", "NHWC" if type(body).__name__ == "SwinTransformer" else "") == "NHWC"


def _outputs(network: Network, size: int) -> list[tuple[str, nn.Module, torch.Size]]:
    """List the modules of a body in the order in which they return a tensor for a blank image, and its shape."""
    ended: list[tuple[str, nn.Module, torch.Size]] = []

    def watch(name: str, module: nn.Module) -> Any:
        def note(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor):
                ended.append((name, module, output.shape))

        return module.register_forward_hook(note)

    hooks = [watch(name, module) for name, module in network.body.named_modules() if name]
    _run_blank(network, size)
    for hook in hooks:
        hook.remove()
    return ended


def _run_blank(network: Network, size: int) -> None:
    device = next(network.parameters()).device
    with torch.no_grad():
        network(torch.zeros(1, 1, size, size, dtype=torch.uint8, device=device))
