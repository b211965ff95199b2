"""Recorded passes compared with the same passes started one by one."""

from __future__ import annotations

import copy

import pytest
import torch
from builders import CLASSES, DESIGNS, MODELS, assembled, size_for, slow_unless, without_initialisation
from torch import nn

from medtransfer.models.cuda_graphs import RecordedForward, RecordedPasses
from medtransfer.models.network import Network
from medtransfer.util.compute import choose_compute

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
NAMES = slow_unless(DESIGNS, MODELS)
BATCH, STEPS = 4, 3


@pytest.fixture(autouse=True, scope="module")
def deterministic() -> None:
    choose_compute("cuda")


def network_of(name: str) -> Network:
    with without_initialisation():
        network = assembled(name, "own", size_for(name)).cuda()
    torch.manual_seed(1)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return network


def outputs_of(network: Network, inputs: torch.Tensor) -> list[torch.Tensor]:
    logits, auxiliary = network.forward_with_auxiliary(inputs)
    return [logits, *auxiliary]


def train(network: Network, batches: list[torch.Tensor], recorded: RecordedPasses | None) -> list[torch.Tensor]:
    """Return the losses of some steps of gradient descent, and the parameters and buffers after them."""
    torch.manual_seed(2)  # dropout
    optimizer, losses = torch.optim.SGD(network.parameters(), 0.01), []
    for inputs in batches:
        optimizer.zero_grad()
        outputs = outputs_of(network, inputs) if recorded is None else recorded.forward(inputs)
        targets = inputs.flatten(1).sum(dim=1) % CLASSES
        loss = sum(
            (nn.functional.cross_entropy(each, targets) for each in outputs), start=torch.zeros((), device="cuda")
        )
        loss.backward()
        if recorded is not None:
            recorded.backward(outputs)
        optimizer.step()
        losses.append(loss.detach())
    return [torch.stack(losses), *network.state_dict().values()]


@pytest.mark.parametrize("name", NAMES)
def test_recorded_steps_update_a_network_like_steps_started_one_by_one(name: str) -> None:
    size = size_for(name)
    network = network_of(name).train()
    twin = copy.deepcopy(network)
    batches = [torch.randint(256, (BATCH, 1, size, size), dtype=torch.uint8, device="cuda") for _ in range(STEPS)]
    plain = train(network, batches, None)
    recorded = train(twin, batches, RecordedPasses(lambda inputs: outputs_of(twin, inputs), twin, batches[0]))
    for mine, theirs in zip(recorded, plain, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_a_recorded_function_computes_each_new_input() -> None:
    network = network_of("mobilenet_v3_small").eval()
    batches = [torch.randint(256, (BATCH, 1, 64, 64), dtype=torch.uint8, device="cuda") for _ in range(STEPS)]
    with torch.inference_mode():
        recorded = RecordedForward(network, batches[0])
        for inputs in batches:
            assert torch.equal(recorded(inputs), network(inputs))


def test_recording_leaves_statistics_and_random_numbers_as_they_were() -> None:
    network = network_of("mobilenet_v3_small").train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    inputs = torch.randint(256, (BATCH, 1, 64, 64), dtype=torch.uint8, device="cuda")
    state = torch.cuda.get_rng_state()
    RecordedPasses(lambda given: outputs_of(network, given), network, inputs)
    assert torch.equal(torch.cuda.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
