"""torch's optimizers for stacked parameters, in which every run has a rate and a number of steps of its own."""

from __future__ import annotations

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
        runs = slice(len(rates))
        self.state["steps"][runs] += 1
        device = next(iter(parameters.values())).device
        factors = self._factors(rates, self.state["steps"][runs]).to(device, non_blocking=True)
        for name, parameter in parameters.items():
            moments = [self.state[f"{name}.{number}"][runs] for number in (0, 1) if f"{name}.{number}" in self.state]
            of_runs = factors.view(len(factors), -1, *[1] * (parameter.ndim - 1))
            self._update(parameter, gradients[name], moments, *of_runs)

    def _factors(self, rates: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        """Give each run's rate, what AdamW leaves of a parameter, and Adam's rate and epsilon [4, m].

        Adam corrects the bias of a mean and of a root; the root's correction stands in front of the fraction, which
        saves a division of whole parameters.
        """
        correction = (1 - BETA2**steps).sqrt()
        kept, adam = 1 - rates * self._strategy.weight_decay, rates * correction / (1 - BETA1**steps)
        return torch.stack([rates, kept, adam, correction * EPSILON]).float()

    def _update(
        self,
        parameter: torch.Tensor,
        gradient: torch.Tensor,
        moments: list[torch.Tensor],
        rate: torch.Tensor,
        kept: torch.Tensor,
        adam: torch.Tensor,
        epsilon: torch.Tensor,
    ) -> None:
        strategy = self._strategy
        if strategy.weight_decay and strategy.optimizer == "adamw":
            parameter.mul_(kept)
        elif strategy.weight_decay:
            gradient = gradient + strategy.weight_decay * parameter
        if strategy.optimizer in ("adam", "adamw"):
            mean, square = moments
            mean.lerp_(gradient, 1 - BETA1)
            square.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
            parameter.addcdiv_(mean * adam, square.sqrt().add_(epsilon), value=-1)
            return
        if strategy.optimizer == "rmsprop":
            square = moments[1]
            square.mul_(ALPHA).addcmul_(gradient, gradient, value=1 - ALPHA)
            gradient = gradient / square.sqrt().add_(EPSILON)
        velocity = moments[0].mul_(strategy.momentum).add_(gradient)
        direction = gradient + strategy.momentum * velocity if strategy.nesterov else velocity
        parameter.sub_(direction * rate)
