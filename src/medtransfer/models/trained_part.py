"""The parameters of a body that train: of its last modules or blocks, its norms, its biases, or adapted layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from torch import nn

from medtransfer.models.blocks import blocks_of
from medtransfer.study import Lora, Strategy
from medtransfer.util.text import listed

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.MultiheadAttention)


def trained_part(body: nn.Module, strategy: Strategy) -> tuple[set[nn.Module], list[nn.Parameter]]:
    """Return the modules of a body that follow train mode, and the parameters that train.

    Modules follow train mode if all of their own parameters train, so that batch norms use the statistics of batches.
    """
    train = strategy.train
    if train == "biases":
        return set(), [one for name, one in body.named_parameters() if name.endswith("bias")]
    if not isinstance(train, str) and train.lora is not None:
        return set(), [getattr(layer, name) for layer, name in lora_weights(body, train.lora)]
    if train == "norms":
        modules = [module for module in body.modules() if "norm" in type(module).__name__.lower() and _owns(module)]
    elif isinstance(train, str):
        modules = list(body.modules()) if train == "all" else []
    elif train.last is not None:
        modules = owners(body)[-train.last :]
    else:
        modules = last_blocks(body, train.last_blocks or 0)
    return set(modules), [one for module in modules for one in module.parameters(recurse=False)]


def last_blocks(body: nn.Module, count: int) -> list[nn.Module]:
    """Return the modules of the last blocks of a body, and all that follow them.

    Blocks are those of `blocks_of`; norms and pooling after the last one do not count. All blocks if there are fewer.
    """
    blocks = [block for block in blocks_of(body) if any(one.ndim > 1 for one in block.parameters())]
    if not blocks:
        return []
    modules = list(body.modules())
    return modules[modules.index(blocks[-count:][0]) :]


def lora_weights(body: nn.Module, lora: Lora) -> Iterator[tuple[nn.Module, str]]:
    """Yield the layers that get adapters, and the names of their weights.

    Layers are dense, convolutions or attention; those of attention belong to a module whose class is named so. Left out
    are convolutions in groups, and weights that are not larger than their adapter would be.
    """
    allowed = set(body.modules() if lora.last_blocks is None else last_blocks(body, lora.last_blocks))
    for owner in body.modules():
        attends = any(part in type(owner).__name__.lower() for part in ("attention", "attn"))
        for layer in (owner, *owner.children()):
            itself = layer is owner  # the only owner that is a layer, too, is `nn.MultiheadAttention`
            if not isinstance(layer, WEIGHTED) or isinstance(layer, nn.MultiheadAttention) != itself:
                continue
            if layer not in allowed or not (attends or lora.targets == "all") or getattr(layer, "groups", 1) > 1:
                continue
            for name, weight in layer.named_parameters(recurse=False):
                smaller = weight.ndim > 1 and lora.rank * (len(weight) + weight[0].numel()) < weight.numel()
                if name.endswith("weight") and smaller:
                    yield layer, name


def part_problem(body: nn.Module, strategy: Strategy) -> str | None:
    """Return why nothing of a body, or less than its strategy asks for, would train; None if all is well."""
    train = strategy.train
    count = None if isinstance(train, str) else train.last_blocks or (train.lora.last_blocks if train.lora else None)
    blocks = [type(block).__name__ for block in blocks_of(body) if any(one.ndim > 1 for one in block.parameters())]
    if count is not None and count > len(blocks):
        kinds = [name if number == 1 else f"{number} {name}" for name, number in Counter(blocks).items()]
        return f"last_blocks: {count}, but there are {len(blocks)}{f' ({listed(kinds)})' if len(kinds) > 1 else ''}"
    if strategy.trains_backbone and not trained_part(body, strategy)[1]:
        lora = None if isinstance(train, str) else train.lora
        if lora is None:
            return f"no parameters fit {train if isinstance(train, str) else 'it'}"
        remedy = "a lower rank" + (", or targets: all" if lora.targets == "attention" else "")
        return f"no layer of targets: {lora.targets} is larger than its adapter of rank {lora.rank} (try {remedy})"
    return None


def owners(body: nn.Module) -> list[nn.Module]:
    """Return the modules of a body that own parameters, in order."""
    return [module for module in body.modules() if _owns(module)]


def _owns(module: nn.Module) -> bool:
    return any(True for _ in module.parameters(recurse=False))
