"""Stacked steps against torch's optimizers, each run with a rate and a number of steps of its own."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from medtransfer.study import Strategy
from medtransfer.training.optimizers import build_optimizer
from medtransfer.training.stacked_optimizers import StackedOptimizer

RATES = torch.tensor([1e-3, 1e-1, 3e-2], dtype=torch.float64)
STEPS = [12, 12, 7]
"""The last run has fewer batches."""

STRATEGIES: list[dict[str, Any]] = [
    {"optimizer": "adam"},
    {"optimizer": "adam", "weight_decay": 0.1},
    {"optimizer": "adamw", "weight_decay": 0.1},
    {"optimizer": "rmsprop", "weight_decay": 0.01},
    {"optimizer": "rmsprop", "momentum": 0.0},
    {"optimizer": "sgd", "momentum": 0.0},
    {"optimizer": "sgd", "weight_decay": 0.1},
    {"optimizer": "sgd", "nesterov": True},
]


class OneHead(torch.nn.Module):
    """What `build_optimizer` asks of a network."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.body, self.head = torch.nn.Identity(), torch.nn.Linear(5, 4)
        self.head.weight.data, self.head.bias.data = weight.clone(), bias.clone()


@pytest.mark.parametrize("fields", STRATEGIES, ids=str)
def test_steps_are_those_of_torch(fields: dict[str, Any]) -> None:
    torch.manual_seed(0)
    parameters = {"weight": torch.randn(3, 4, 5), "bias": torch.randn(3, 4)}
    gradients = [{name: torch.randn_like(value) for name, value in parameters.items()} for _ in range(max(STEPS))]
    heads = [OneHead(parameters["weight"][run], parameters["bias"][run]) for run in range(3)]
    for run, (head, steps) in enumerate(zip(heads, STEPS, strict=True)):
        strategy = Strategy(**fields, lr=float(RATES[run]))
        optimizer = build_optimizer(head, strategy)
        for gradient in gradients[:steps]:
            head.head.weight.grad, head.head.bias.grad = gradient["weight"][run], gradient["bias"][run]
            optimizer.step()
    stacked = StackedOptimizer(Strategy(**fields), parameters)
    for step, gradient in enumerate(gradients):
        runs = slice(sum(step < steps for steps in STEPS))
        stacked.step(
            {name: value[runs] for name, value in parameters.items()},
            {name: value[runs] for name, value in gradient.items()},
            RATES[runs],
        )
    for run, head in enumerate(heads):
        torch.testing.assert_close(parameters["weight"][run], head.head.weight.data, rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(parameters["bias"][run], head.head.bias.data, rtol=1e-5, atol=1e-7)


def test_a_reset_run_starts_again_and_the_others_do_not() -> None:
    parameters = {"weight": torch.zeros(2, 3)}
    optimizer = StackedOptimizer(Strategy(), parameters)
    gradient = {"weight": torch.ones(2, 3)}
    for _ in range(3):
        optimizer.step(parameters, gradient, RATES[:2])
    optimizer.reset(1)
    assert optimizer.state["steps"].tolist() == [3, 0]
    assert float(optimizer.state["weight.0"][1].abs().sum()) == 0
    assert float(optimizer.state["weight.0"][0].abs().sum()) > 0
