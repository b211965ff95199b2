"""The blocks of a network: residual blocks, layers of a transformer, and whatever else its code repeats."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn


def blocks_of(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the outermost blocks of a module.

    A block is an entry of a list of modules, or a child with parts of its own, unless it is a stage: a module that
    repeats a block. Neither a layer nor a plain sequence of layers, such as VGG's, is a block.
    """
    listed = isinstance(module, nn.Sequential | nn.ModuleList)
    for child in module.children():
        if not any(True for _ in child.children()) or (type(child) is nn.Sequential and not listed and _is_row(child)):
            continue
        if not _lists_blocks(child) and not any(map(_repeats, child.modules())):
            yield child
        else:
            yield from blocks_of(child)


def _is_row(module: nn.Module) -> bool:
    return not any(True for child in module.children() for _ in child.children())


def _lists_blocks(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential | nn.ModuleList) and not _is_row(module)


def _repeats(module: nn.Module) -> bool:
    """Return whether a module lists blocks of one class; a convolution with its norm is too small to be one."""
    kinds = {type(child) for child in module.children() if not _is_row(child)}
    return _lists_blocks(module) and len(kinds) == 1 and not issubclass(kinds.pop(), nn.Sequential)
