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
        first = next(iter(parameters.values()))
        self.state["steps"] = torch.zeros(len(first), dtype=torch.float64, device=first.device)

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
        self.state["steps"][: len(rates)] += 1
        steps = self.state["steps"][: len(rates)]
        for name, parameter in parameters.items():
            moments = [
                self.state[f"{name}.{number}"][: len(rates)] for number in (0, 1) if f"{name}.{number}" in self.state
            ]
            self._update(parameter, gradients[name], moments, rates, steps)

    def _update(
        self,
        parameter: torch.Tensor,
        gradient: torch.Tensor,
        moments: list[torch.Tensor],
        rates: torch.Tensor,
        steps: torch.Tensor,
    ) -> None:
        strategy = self._strategy

        def of_runs(values: torch.Tensor) -> torch.Tensor:
            return values.to(parameter.dtype).view(-1, *[1] * (parameter.ndim - 1))

        if strategy.weight_decay and strategy.optimizer == "adamw":
            parameter.mul_(of_runs(1 - rates * strategy.weight_decay))
        elif strategy.weight_decay:
            gradient = gradient + strategy.weight_decay * parameter
        if strategy.optimizer in ("adam", "adamw"):
            mean, square = moments
            mean.lerp_(gradient, 1 - BETA1)
            square.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
            scale = square.sqrt().div_(of_runs((1 - BETA2**steps).sqrt())).add_(EPSILON)
            parameter.addcdiv_(mean * of_runs(rates / (1 - BETA1**steps)), scale, value=-1)
            return
        if strategy.optimizer == "rmsprop":
            square = moments[1]
            square.mul_(ALPHA).addcmul_(gradient, gradient, value=1 - ALPHA)
            gradient = gradient / square.sqrt().add_(EPSILON)
        velocity = moments[0].mul_(strategy.momentum).add_(gradient)
        direction = gradient + strategy.momentum * velocity if strategy.nesterov else velocity
        parameter.sub_(direction * of_runs(rates))
