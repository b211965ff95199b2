"""Gradient checkpointing of any network, block by block.

Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost". Gradients and statistics keep their bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from medtransfer.models.network import Network


def forget_activations(network: Network) -> None:
    """Have each block of a network, or of a decoder that is its head, save only its inputs for the backward pass.

    Meant for training only: a hook on a layer within a block would be called again in the backward pass.
    """
    heads = network.head.children() if isinstance(network.head, nn.Sequential) else [network.head]
    for block in [block for part in (network.body, *heads) for block in blocks_of(part)]:
        block.__class__ = _forgetful(type(block))  # type: ignore[arg-type] # a class is hashable


def blocks_of(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the outermost blocks of a module.

    A block is an entry of a list of modules, or a child with parts of its own and no list of blocks in it. Neither a
    layer nor a plain sequence of layers, such as VGG's, is a block.
    """
    listed = isinstance(module, nn.Sequential | nn.ModuleList)
    for child in module.children():
        if not any(True for _ in child.children()) or (type(child) is nn.Sequential and not listed and _is_row(child)):
            continue
        if not _lists_blocks(child) and (listed or not any(map(_lists_blocks, child.modules()))):
            yield child
        else:
            yield from blocks_of(child)


def _is_row(module: nn.Module) -> bool:
    return not any(True for child in module.children() for _ in child.children())


def _lists_blocks(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential | nn.ModuleList) and not _is_row(module)


@cache
def _forgetful(kind: type[nn.Module]) -> type[nn.Module]:
    """Derive a class of block that computes its forward pass again; copies and state dicts do not change."""

    def forward(self: nn.Module, *inputs: Any, **options: Any) -> Any:
        if not torch.is_grad_enabled():
            return kind.forward(self, *inputs, **options)
        compute, contexts = partial(kind.forward, self, **options), partial(_contexts, self)
        return checkpoint(compute, *inputs, use_reentrant=False, context_fn=contexts)

    return type(f"Forgetful{kind.__name__}", (kind,), {"forward": forward})


def _contexts(block: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _on_copies(block)


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
