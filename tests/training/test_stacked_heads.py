"""Stacked heads compared with each head alone: logits, gradients, dropout, batch norm statistics and steps."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

import pytest
import torch
from torch import nn

from medtransfer.models.heads.linear import LinearHead
from medtransfer.models.heads.mlp import MLPHead
from medtransfer.study import Strategy
from medtransfer.training.optimizers import OPTIMIZERS, optimizer_of
from medtransfer.training.stacked_heads import StackedHeads, depends_on_batch, is_stackable

RUNS, ROWS, WIDTH, CLASSES = 4, 9, 11, 3

HEADS = {
    "linear": lambda: LinearHead(WIDTH, CLASSES),
    "linear with dropout": lambda: LinearHead(WIDTH, CLASSES, dropout=0.4),
    "mlp": lambda: MLPHead(WIDTH, CLASSES, hidden=7, dropout=0.5),
    "mlp with batch norm": lambda: MLPHead(WIDTH, CLASSES, hidden=7, dropout=0.3, head_batch_norm=True),
    "own": lambda: nn.Sequential(
        nn.Linear(WIDTH, 6), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(6, CLASSES, bias=False)
    ),
}


def heads_of(make: Any, count: int = RUNS) -> list[nn.Sequential]:
    """Build heads with the same weights each time."""
    torch.manual_seed(0)
    return [make() for _ in range(count)]


def stack_of(heads: list[nn.Sequential], cohorts: list[int] | None = None, **strategy: Any) -> StackedHeads:
    return StackedHeads(heads, Strategy(**strategy), cohorts or [len(heads)], [{} for _ in heads])


def generators(count: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(number) for number in range(count)]


@pytest.mark.parametrize("shares", [RUNS, 2], ids=["own batches", "shared batches"])
@pytest.mark.parametrize("make", HEADS.values(), ids=HEADS)
def test_a_training_step_is_that_of_each_head_alone(make: Any, shares: int) -> None:
    together, stack, features = heads_of(make), stack_of(heads_of(make)), torch.randn(shares, ROWS, WIDTH)
    parameters = stack.parameters(slice(RUNS))
    training = [(generator, ROWS) for generator in generators(shares)]
    logits = stack.logits(features, slice(RUNS), parameters, training)
    gradients = torch.autograd.grad(logits.square().sum(), list(parameters.values()))
    for run, head in enumerate(together):
        batch = run * shares // RUNS
        torch.manual_seed(batch)
        alone = head.train()(features[batch])
        alone.square().sum().backward()
        torch.testing.assert_close(logits[run], alone)
        for gradient, (_, parameter) in zip(gradients, head.named_parameters(), strict=True):
            torch.testing.assert_close(gradient[run], parameter.grad, rtol=1e-4, atol=1e-5)
        for name, tensor in head.named_buffers():
            torch.testing.assert_close(stack.tensors[name][run], tensor)


@pytest.mark.parametrize("make", HEADS.values(), ids=HEADS)
def test_dropout_draws_the_numbers_of_each_head_alone_over_several_steps(make: Any) -> None:
    heads, stack, drawn = heads_of(make), stack_of(heads_of(make)), generators(RUNS)
    batches = [torch.randn(RUNS, rows, WIDTH) for rows in (ROWS, ROWS, 5)]
    before = torch.get_rng_state()
    together = [
        stack.logits(batch, slice(RUNS), None, [(generator, batch.shape[1]) for generator in drawn])
        for batch in batches
    ]
    assert torch.equal(torch.get_rng_state(), before)
    for run, head in enumerate(heads):
        torch.manual_seed(run)
        for batch, found in zip(batches, together, strict=True):
            torch.testing.assert_close(found[run], head.train()(batch[run]))


@pytest.mark.parametrize("make", HEADS.values(), ids=HEADS)
def test_eval_mode_of_some_runs_is_that_of_each_alone(make: Any) -> None:
    heads, stack, features = heads_of(make), stack_of(heads_of(make)), torch.randn(2, ROWS, WIDTH)
    together = stack.logits(features, slice(1, 3))
    for found, batch, head in zip(together, features, heads[1:3], strict=True):
        torch.testing.assert_close(found, head.eval()(batch))


def test_padding_does_not_change_a_batchs_own_rows() -> None:
    make = HEADS["mlp"]
    heads, stack, features = heads_of(make), stack_of(heads_of(make, 2)), torch.randn(2, ROWS, WIDTH)
    together = stack.logits(features, slice(2), None, list(zip(generators(2), (ROWS, 4), strict=True)))
    torch.manual_seed(1)
    torch.testing.assert_close(together[1, :4], heads[1].train()(features[1, :4]))


def test_the_heads_are_views_of_the_stack() -> None:
    heads = heads_of(HEADS["mlp with batch norm"])
    stack = stack_of(heads)
    for tensor in stack.tensors.values():
        tensor[2] = 5
    assert all(bool((tensor == 5).all()) for tensor in heads[2].state_dict().values())
    heads[1].load_state_dict(heads[2].state_dict())
    assert all(bool((tensor[1] == 5).all()) for tensor in stack.tensors.values())


RATES = torch.tensor([1e-3, 1e-1, 3e-2, 1e-2], dtype=torch.float32)
COHORTS, STEPS = [2, 1, 1], [12, 7, 5]
"""The later cohorts have fewer batches."""

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


@pytest.mark.parametrize("stacked_again", [False, True])
@pytest.mark.parametrize("fields", STRATEGIES, ids=str)
def test_steps_are_those_of_each_head_alone(fields: dict[str, Any], stacked_again: bool) -> None:
    alone, heads = heads_of(HEADS["mlp"]), heads_of(HEADS["mlp"])
    stack = stack_of(heads, COHORTS, **fields)
    gradients = [
        {name: torch.randn_like(tensor) for name, tensor in stack.parameters(slice(RUNS)).items()}
        for _ in range(max(STEPS))
    ]
    for step, gradient in enumerate(gradients):
        runs = sum(size for size, steps in zip(COHORTS, STEPS, strict=True) if step < steps)
        stack.step({name: value[:runs] for name, value in gradient.items()}, RATES[:runs])
        if stacked_again and step == 3:
            stack = StackedHeads(heads, Strategy(**fields), COHORTS, stack.moments())
    bounds = pairwise(accumulate(COHORTS, initial=0))
    steps_of = [steps for (start, stop), steps in zip(bounds, STEPS, strict=True) for _ in range(start, stop)]
    for run, (head, steps) in enumerate(zip(alone, steps_of, strict=True)):
        optimizer = optimizer_of([{"params": list(head.parameters()), "lr": float(RATES[run])}], Strategy(**fields))
        for gradient in gradients[:steps]:
            for name, parameter in head.named_parameters():
                parameter.grad = gradient[name][run]
            optimizer.step()
        for name, parameter in head.named_parameters():
            torch.testing.assert_close(heads[run].state_dict()[name], parameter.data, rtol=1e-4, atol=1e-6)


def test_a_run_with_a_new_optimizer_starts_from_its_first_step() -> None:
    heads, fresh = heads_of(HEADS["linear"], 2), heads_of(HEADS["linear"], 1)
    stack = stack_of(heads)
    gradient = {name: torch.ones_like(tensor) for name, tensor in stack.parameters(slice(2)).items()}
    for _ in range(3):
        stack.step(gradient, RATES[:2])
    moments = stack.moments()
    heads[1].load_state_dict(fresh[0].state_dict())
    stack = StackedHeads(heads, Strategy(), [1, 1], [moments[0], {}])
    stack.step(gradient, RATES[:2])
    stack_of(fresh).step({name: value[1:] for name, value in gradient.items()}, RATES[1:2])
    for name, tensor in fresh[0].state_dict().items():
        torch.testing.assert_close(heads[1].state_dict()[name], tensor)
    assert [float(run["1.weight"]["step"]) for run in stack.moments()] == [4, 1]


def test_which_heads_can_be_stacked_and_which_depend_on_the_batch() -> None:
    assert all(is_stackable(make(), Strategy(optimizer=name)) for make in HEADS.values() for name in OPTIMIZERS)
    for head in (nn.Sequential(nn.Conv2d(3, 3, 1)), nn.Linear(2, 2), nn.Sequential(nn.ReLU()), nn.Sequential()):
        assert not is_stackable(head, Strategy())
    assert [depends_on_batch(make()) for make in HEADS.values()] == [False, False, False, True, False]
    assert [stack_of([make()]).draws for make in HEADS.values()] == [False, True, True, True, True]


def test_an_optimizer_that_sees_more_than_single_elements_is_not_stacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPTIMIZERS._items, "lbfgs", lambda groups: torch.optim.LBFGS(groups[0]["params"]))
    strategy = Strategy().model_copy(update={"optimizer": "lbfgs"})
    assert not is_stackable(HEADS["linear"](), strategy)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_runs_may_have_different_weight_decays(optimizer: str) -> None:
    decays, rates = [0.0, 0.01, 0.3, 1.0], torch.tensor([0.1, 0.01, 0.05, 0.02])
    heads, alone = heads_of(HEADS["linear"]), heads_of(HEADS["linear"])
    stack = StackedHeads(heads, Strategy(optimizer=optimizer), [RUNS], [{} for _ in heads], decays)
    optimizers = [
        optimizer_of(
            [{"params": list(head.parameters()), "lr": float(rate)}],
            Strategy(optimizer=optimizer, weight_decay=decay),
        )
        for head, rate, decay in zip(alone, rates, decays, strict=True)
    ]
    for _ in range(3):
        gradients = {name: torch.randn(RUNS, *one.shape) for name, one in alone[0].named_parameters()}
        stack.step(gradients, rates)
        for run, (head, one) in enumerate(zip(alone, optimizers, strict=True)):
            for name, parameter in head.named_parameters():
                parameter.grad = gradients[name][run].clone()
            one.step()
    for head, expected in zip(heads, alone, strict=True):
        for mine, yours in zip(head.parameters(), expected.parameters(), strict=True):
            torch.testing.assert_close(mine, yours, rtol=1e-4, atol=1e-5)
