"""Stacked heads against each head alone: the same logits, gradients, dropout and batch norm statistics."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from medtransfer.models.heads.linear import LinearHead
from medtransfer.models.heads.mlp import MLPHead
from medtransfer.training.stacked_heads import StackedHeads, is_stackable, looks_at_the_batch

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


@pytest.fixture(params=HEADS.values(), ids=HEADS)
def heads(request: pytest.FixtureRequest) -> list[nn.Sequential]:
    torch.manual_seed(0)
    return [request.param() for _ in range(RUNS)]


def test_a_training_step_is_that_of_each_head_alone(heads: list[nn.Sequential]) -> None:
    stack = StackedHeads(heads)
    features = torch.randn(RUNS, ROWS, WIDTH)
    generators = [torch.Generator().manual_seed(run) for run in range(RUNS)]
    together = stack.train(features, slice(RUNS), [(generator, ROWS) for generator in generators])
    gradients = together.gradients(2 * together.logits)
    for run, head in enumerate(heads):
        torch.manual_seed(run)
        alone = head.train()(features[run])
        alone.square().sum().backward()
        torch.testing.assert_close(together.logits[run].T, alone)
        for name, parameter in head.named_parameters():
            torch.testing.assert_close(gradients[name][run], parameter.grad)
        for name, tensor in head.named_buffers():
            torch.testing.assert_close(stack.state[name][run], tensor)


def test_a_training_step_of_runs_that_share_a_batch_is_that_of_each_alone(heads: list[nn.Sequential]) -> None:
    stack, features = StackedHeads(heads), torch.randn(2, ROWS, WIDTH)
    generators = [torch.Generator().manual_seed(share) for share in range(2)]
    together = stack.train(features, slice(RUNS), [(generator, ROWS) for generator in generators])
    gradients = together.gradients(2 * together.logits)
    for run, head in enumerate(heads):
        torch.manual_seed(run // 2)
        alone = head.train()(features[run // 2])
        alone.square().sum().backward()
        torch.testing.assert_close(together.logits[run].T, alone)
        for name, parameter in head.named_parameters():
            torch.testing.assert_close(gradients[name][run], parameter.grad)


def test_dropout_is_drawn_from_the_same_numbers_to_the_bit_step_after_step(heads: list[nn.Sequential]) -> None:
    stack = StackedHeads(heads)
    generators = [torch.Generator().manual_seed(run) for run in range(RUNS)]
    parameters = stack.parameters(slice(None))
    batches = [torch.randn(RUNS, rows, WIDTH) for rows in (ROWS, ROWS, 5)]
    together = [
        stack.logits(batch, parameters, slice(RUNS), [(generator, batch.shape[1]) for generator in generators])
        for batch in batches
    ]
    for run, head in enumerate(heads):
        torch.manual_seed(run)
        for batch, found in zip(batches, together, strict=True):
            alone = head.train()(batch[run])
            torch.testing.assert_close(found[run].T, alone)
            assert torch.equal(found[run].T == 0, alone == 0)


def test_eval_mode_of_some_runs_is_that_of_each_alone(heads: list[nn.Sequential]) -> None:
    stack, features = StackedHeads(heads), torch.randn(2, ROWS, WIDTH)
    parameters = stack.parameters(slice(1, 3))
    together = stack.logits(features, parameters, slice(1, 3))
    for found, batch, head in zip(together, features, heads[1:3], strict=True):
        torch.testing.assert_close(found.T, head.eval()(batch))


def test_padding_changes_nothing_for_the_rows_that_are_real() -> None:
    torch.manual_seed(0)
    heads = [MLPHead(WIDTH, CLASSES, hidden=7, dropout=0.5) for _ in range(2)]
    stack, features = StackedHeads(heads), torch.randn(2, ROWS, WIDTH)
    generators = [torch.Generator().manual_seed(run) for run in range(2)]
    parameters = stack.parameters(slice(None))
    together = stack.logits(features, parameters, slice(2), list(zip(generators, (ROWS, 4), strict=True)))
    torch.manual_seed(1)
    torch.testing.assert_close(together[1].T[:4], heads[1].train()(features[1, :4]))


def test_a_state_goes_in_and_out_of_the_stack(heads: list[nn.Sequential]) -> None:
    stack = StackedHeads(heads)
    taken = stack.one(2)
    stack.put(0, taken)
    next(iter(taken.values())).add_(1)  # a copy
    for name, tensor in heads[2].state_dict().items():
        assert torch.equal(stack.state[name][0], tensor)
        assert torch.equal(stack.state[name][2], tensor)


def test_what_can_be_stacked_and_what_looks_at_the_batch() -> None:
    assert all(is_stackable(make()) for make in HEADS.values())
    assert not is_stackable(nn.Sequential(nn.Conv2d(3, 3, 1)))
    assert not is_stackable(nn.Linear(2, 2))
    assert not is_stackable(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    assert not is_stackable(nn.Sequential())
    assert [looks_at_the_batch(make()) for make in HEADS.values()] == [False, False, False, True, False]
    assert [StackedHeads([make()]).draws for make in HEADS.values()] == [False, True, True, True, True]
