"""torch's optimizers for stacked parameters, in which every run has a rate and a number of steps of its own."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from medtransfer.study import Strategy

BETA1, BETA2, EPSILON, ALPHA = 0.9, 0.999, 1e-8, 0.99
"""torch's defaults: Kingma and Ba 2015 (Adam), Tieleman and Hinton 2012 (RMSprop)."""

Tensors = dict[str, torch.Tensor]


class StackedOptimizer:
    """SGD, Adam, AdamW or RMSprop of parameters [runs, ...].

    torch.optim has one rate a tensor; here each run has its own, and those without a batch in a step are left
    alone. state: moments by `parameter.moment`, each [runs, ...], and the runs' numbers of `steps`.
    """

    def __init__(self, strategy: Strategy, parameters: Tensors) -> None:
        self._strategy = strategy
        moments = {"adam": 2, "adamw": 2, "rmsprop": 2, "sgd": 1}[strategy.optimizer]
        self.state = {
            f"{name}.{number}": torch.zeros_like(value)
            for name, value in parameters.items()
            for number in range(moments)
        }
        runs = len(next(iter(parameters.values())))
        self.state["steps"] = torch.zeros(runs, dtype=torch.float64)  # on the CPU: not every device has float64

    def reset(self, run: int) -> None:
        """Forget what one run's steps have been."""
        for tensor in self.state.values():
            tensor[run] = 0

    def keep(self, runs: list[int]) -> None:
        """Let go of all runs but these."""
        self.state = {name: tensor[runs] for name, tensor in self.state.items()}

    def load(self, state: Tensors) -> None:
        """Take over a stored state."""
        self.state = {name: tensor.to(self.state[name].device) for name, tensor in state.items()}

    def step(self, parameters: Tensors, gradients: Tensors, rates: torch.Tensor) -> None:
        """Take a step of the first m runs, in place; parameters and gradients are [m, ...], rates float64 [m]."""
        runs, decay = slice(len(rates)), self._strategy.weight_decay
        self.state["steps"][runs] += 1
        for name, parameter in parameters.items():
            if decay and self._strategy.optimizer == "adamw":
                parameter.mul_(_each(1 - rates * decay, parameter))
            elif decay:
                gradients = gradients | {name: gradients[name] + decay * parameter}
        if self._strategy.optimizer in ("adam", "adamw"):
            for name, move in self._adam_moves(gradients, runs).items():
                parameters[name].addcmul_(move, _each(rates, move))
            return
        for name, parameter in parameters.items():
            parameter.sub_(self._direction(gradients[name], name, runs) * _each(rates, parameter))

    def _adam_moves(self, gradients: Tensors, runs: slice) -> Tensors:
        """Give what Adam would add to each parameter at a rate of one.

        torch's fused step, which has one rate, moves zeros at that rate: one pass over a parameter instead of seven.
        """
        moves = {name: torch.zeros_like(gradient) for name, gradient in gradients.items()}
        taken, counts = torch.unique_consecutive(self.state["steps"][runs], return_counts=True)
        alike = counts.tolist()  # runs in a row that have taken as many steps
        steps = taken.float().to(next(iter(moves.values())).device).unbind()

        def parts(tensors: Iterable[torch.Tensor]) -> list[torch.Tensor]:
            return [part for tensor in tensors for part in tensor.split_with_sizes(alike)]

        torch._fused_adam_(  # what `torch.optim.adam.adam` calls in the end, without what it looks at before
            parts(moves.values()),
            parts(gradients.values()),
            parts(self.state[f"{name}.0"][runs] for name in moves),
            parts(self.state[f"{name}.1"][runs] for name in moves),
            [],
            [*steps] * len(moves),
            lr=1.0,
            beta1=BETA1,
            beta2=BETA2,
            weight_decay=0.0,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )
        return moves

    def _direction(self, gradient: torch.Tensor, name: str, runs: slice) -> torch.Tensor:
        """Give what SGD or RMSprop would take from a parameter at a rate of one."""
        strategy = self._strategy
        if strategy.optimizer == "rmsprop":
            square = self.state[f"{name}.1"][runs]
            square.mul_(ALPHA).addcmul_(gradient, gradient, value=1 - ALPHA)
            gradient = gradient / square.sqrt().add_(EPSILON)
        velocity = self.state[f"{name}.0"][runs].mul_(strategy.momentum).add_(gradient)
        return gradient + strategy.momentum * velocity if strategy.nesterov else velocity


def _each(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Lay a number for each run, computed as float64, out beside tensors [runs, ...]."""
    return values.float().to(like.device, non_blocking=True).view(-1, *[1] * (like.ndim - 1))
