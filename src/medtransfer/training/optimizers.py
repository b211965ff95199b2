"""Optimizers by name, with a rate of their own for the backbone where the strategy gives one."""

from __future__ import annotations

from typing import Any

import torch

from medtransfer.backbones.network import Network
from medtransfer.study import Strategy


def build_optimizer(network: Network, strategy: Strategy) -> torch.optim.Optimizer:
    """Build the optimizer of all parameters that train.

    Each parameter group keeps its full rate as `full_lr`; `set_rate` scales it from epoch to epoch.
    """
    groups = [
        {"params": [p for p in part.parameters() if p.requires_grad], "lr": rate, "full_lr": rate}
        for part, rate in (
            (network.body, strategy.backbone_lr or strategy.lr),
            (network.head, strategy.lr),
        )
    ]
    groups = [group for group in groups if group["params"]]
    common: dict[str, Any] = {"weight_decay": strategy.weight_decay}
    if strategy.optimizer == "adam":
        return torch.optim.Adam(groups, **common)
    if strategy.optimizer == "adamw":
        return torch.optim.AdamW(groups, **common)
    common["momentum"] = strategy.momentum
    if strategy.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, **common)
    return torch.optim.SGD(groups, nesterov=strategy.nesterov, **common)


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set each group's rate to `factor` times its full rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["full_lr"] * factor
