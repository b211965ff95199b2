"""Optimizers, and the learning rate of each part of a network.

To add one, register a function of parameter groups that returns a torch optimizer. Its keyword-only parameters are set
by the fields of the strategy of the same names.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import unwrap
from typing import Any

import numpy as np
import torch
from torch import nn

from medtransfer.models.network import Network
from medtransfer.study import Strategy
from medtransfer.util.never_compiled import never_compiled
from medtransfer.util.registry import Registry, with_options

Groups = list[dict[str, Any]]
OPTIMIZERS: Registry[Callable[..., torch.optim.Optimizer]] = Registry("optimizer")


def _with_gradients_as_set(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return the step of an optimizer without its breaks in the graphs of compiled ones; see `never_compiled`."""

    @wraps(step)
    def wrapped(self: torch.optim.Optimizer, *args: Any, **options: Any) -> Any:
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return step(self, *args, **options)

    return wrapped


for _kind in (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD, torch.optim.RMSprop):
    _kind.step = _with_gradients_as_set(unwrap(_kind.step))  # type: ignore[method-assign]
    never_compiled(_kind.add_param_group, _kind.load_state_dict, _kind.state_dict, _kind.zero_grad)


@OPTIMIZERS.entry("adam")
def adam(groups: Groups, *, weight_decay: float = 0.0) -> torch.optim.Optimizer:
    """Build Adam (Kingma and Ba 2015), fused: one pass over a parameter instead of ten."""
    return torch.optim.Adam(groups, weight_decay=weight_decay, fused=True)


@OPTIMIZERS.entry("adamw")
def adamw(groups: Groups, *, weight_decay: float = 0.0) -> torch.optim.Optimizer:
    """Build AdamW (Loshchilov and Hutter 2019), fused as Adam."""
    return torch.optim.AdamW(groups, weight_decay=weight_decay, fused=True)


@OPTIMIZERS.entry("sgd")
def sgd(
    groups: Groups, *, momentum: float = 0.9, nesterov: bool = False, weight_decay: float = 0.0
) -> torch.optim.Optimizer:
    """Build stochastic gradient descent; so few operations gain nothing from fusing."""
    return torch.optim.SGD(groups, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)


@OPTIMIZERS.entry("rmsprop")
def rmsprop(groups: Groups, *, momentum: float = 0.9, weight_decay: float = 0.0) -> torch.optim.Optimizer:
    """Build RMSprop (Tieleman and Hinton 2012)."""
    return torch.optim.RMSprop(groups, momentum=momentum, weight_decay=weight_decay)


def build_optimizer(network: Network, strategy: Strategy) -> torch.optim.Optimizer:
    """Build the optimizer of all parameters that train.

    Each parameter group keeps its full rate as `full_lr`, which `set_rate` scales from epoch to epoch.
    """
    trained = [
        ([each for each in part.parameters() if each.requires_grad], rate) for part, rate in _parts(network, strategy)
    ]
    groups = [{"params": parameters, "lr": rate, "full_lr": rate} for parameters, rate in trained if parameters]
    return optimizer_of(groups, strategy)


def optimizer_of(groups: Groups, strategy: Strategy) -> torch.optim.Optimizer:
    """Build the strategy's optimizer of parameter groups."""
    optimizer: torch.optim.Optimizer = with_options(OPTIMIZERS[strategy.optimizer], strategy.model_dump())(groups)
    return optimizer


def _parts(network: Network, strategy: Strategy) -> list[tuple[nn.Module | nn.ParameterList, float]]:
    """Return the parts of a network and their learning rates, from the input to the head.

    With `first_layer_lr`, every module of the body that owns trained parameters is a part, and the rates rise
    geometrically (discriminative fine-tuning: Howard and Ruder 2018).
    """
    last = strategy.backbone_lr or strategy.lr
    if strategy.first_layer_lr is None:
        return [(network.body, last), (network.head, strategy.lr)]
    own = [[p for p in module.parameters(recurse=False) if p.requires_grad] for module in network.body.modules()]
    layers = [nn.ParameterList(parameters) for parameters in own if parameters]
    rates = np.geomspace(strategy.first_layer_lr, last, len(layers))
    return [*zip(layers, map(float, rates), strict=True), (network.head, strategy.lr)]


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set each group's rate to `factor` times its full rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["full_lr"] * factor
