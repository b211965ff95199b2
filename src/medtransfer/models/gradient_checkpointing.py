"""Gradient checkpointing of any network, block by block.

Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost". Gradients and statistics keep their bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache, partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from medtransfer.models.blocks import blocks_of
from medtransfer.models.network import Network


def forget_activations(network: Network) -> None:
    """Have each block of a network, or of a decoder that is its head, save only its inputs for the backward pass.

    Meant for training only: a hook on a layer within a block would be called again in the backward pass.
    """
    heads = network.head.children() if isinstance(network.head, nn.Sequential) else [network.head]
    for block in [block for part in (network.body, *heads) for block in blocks_of(part)]:
        block.__class__ = _forgetful(type(block))  # type: ignore[arg-type] # a class is hashable


@cache
def _forgetful(kind: type[nn.Module]) -> type[nn.Module]:
    """Derive a class of block that computes its forward pass again; copies and state dicts do not change."""

    def forward(self: nn.Module, *inputs: Any, **options: Any) -> Any:
        if not torch.is_grad_enabled():
            return kind.forward(self, *inputs, **options)
        compute = partial(kind.forward, self, **options)
        return checkpoint(compute, *inputs, use_reentrant=False, context_fn=lambda: (nullcontext(), _on_copies(self)))

    return type(f"Forgetful{kind.__name__}", (kind,), {"forward": forward})


@contextmanager
def _on_copies(block: nn.Module) -> Iterator[None]:
    """Exchange the buffers of a block for copies: batch norms have counted the batch already."""
    own = [(module, dict(module._buffers)) for module in block.modules() if module._buffers]
    for module, buffers in own:
        module._buffers.update({name: None if tensor is None else tensor.clone() for name, tensor in buffers.items()})
    try:
        yield
    finally:
        for module, buffers in own:
            module._buffers.update(buffers)
