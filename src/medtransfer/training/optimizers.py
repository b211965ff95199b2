"""Optimizers by name, with a rate of their own for the backbone where the strategy gives one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from medtransfer.models.network import Network
from medtransfer.study import Strategy


def build_optimizer(network: Network, strategy: Strategy) -> torch.optim.Optimizer:
    """Build the optimizer of all parameters that train.

    Each parameter group keeps its full rate as `full_lr`; `set_rate` scales it from epoch to epoch. Adam's steps are
    fused, one pass over a parameter instead of ten; for the few of SGD that is no gain.
    """
    groups = [_group(list(part.parameters()), rate) for part, rate in _parts(network, strategy)]
    groups = [group for group in groups if group["params"]]
    common: dict[str, Any] = {"weight_decay": strategy.weight_decay}
    if strategy.optimizer == "adam":
        return torch.optim.Adam(groups, fused=True, **common)
    if strategy.optimizer == "adamw":
        return torch.optim.AdamW(groups, fused=True, **common)
    common["momentum"] = strategy.momentum
    if strategy.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, **common)
    return torch.optim.SGD(groups, nesterov=strategy.nesterov, **common)


def _parts(network: Network, strategy: Strategy) -> list[tuple[nn.Module | nn.ParameterList, float]]:
    """Give the parts of a network that have a rate of their own, from the input to the head.

    With `first_layer_lr`, every module of the body that owns trained parameters is a part, and the rates rise
    from it geometrically (discriminative fine-tuning: Howard and Ruder 2018).
    """
    last = strategy.backbone_lr or strategy.lr
    if strategy.first_layer_lr is None:
        return [(network.body, last), (network.head, strategy.lr)]
    own = [[p for p in module.parameters(recurse=False) if p.requires_grad] for module in network.body.modules()]
    layers = [nn.ParameterList(parameters) for parameters in own if parameters]
    rates = np.geomspace(strategy.first_layer_lr, last, len(layers))
    return [*zip(layers, map(float, rates), strict=True), (network.head, strategy.lr)]


def _group(parameters: list[nn.Parameter], rate: float) -> dict[str, Any]:
    return {"params": [p for p in parameters if p.requires_grad], "lr": rate, "full_lr": rate}


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set each group's rate to `factor` times its full rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["full_lr"] * factor
