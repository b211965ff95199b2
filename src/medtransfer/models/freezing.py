"""Which modules of a network train; all others keep every parameter and every buffer, to the bit."""

from __future__ import annotations

from functools import lru_cache

from torch import nn

from medtransfer.models.network import Network
from medtransfer.study import Strategy


def freeze(network: Network, strategy: Strategy) -> None:
    """Freeze what `strategy.train` does not train.

    A frozen module's parameters need no gradient and it stays in eval mode, so that batch norms neither use
    nor move their batch statistics. `last: N` counts the modules that own parameters, from the body's
    output back.
    """
    network.body_frozen = not strategy.trains_backbone
    if network.body_frozen:
        network.frozen = list(_frozen_whole(network.body))
        if strategy.train == "none":
            network.frozen += list(network.head.requires_grad_(False).modules())
        return
    trained = set(trained_modules(network, strategy))
    network.frozen = [module for module in network.body.modules() if module not in trained]
    for module in network.frozen:
        for parameter in module._parameters.values():
            if parameter is not None:
                parameter.requires_grad_(False)


@lru_cache(maxsize=1)  # the runs of a variant share their body
def _frozen_whole(body: nn.Module) -> tuple[nn.Module, ...]:
    return tuple(body.requires_grad_(False).modules())


def trained_modules(network: Network, strategy: Strategy) -> list[nn.Module]:
    """List the modules of the body that train, in the order of the body."""
    if strategy.train == "all":
        return list(network.body.modules())
    if not strategy.trains_backbone:
        return []
    owners = [module for module in network.body.modules() if list(module.parameters(recurse=False))]
    return owners[-strategy.train.last :]  # type: ignore[union-attr]
