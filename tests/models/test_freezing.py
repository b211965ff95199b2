"""Frozen means frozen: parameters, buffers and batch-norm statistics, to the bit."""

from __future__ import annotations

import pytest
import torch
from builders import CLASSES, assembled
from torch import nn

from medtransfer.models.freezing import trained_modules
from medtransfer.models.network import Network
from medtransfer.study import Strategy


def network_of(train: object, name: str = "mobilenet_v3_small") -> Network:
    torch.manual_seed(0)
    return assembled(name, "linear", 64, train=train)


def step(network: Network) -> None:
    """Make three training steps on random pixels."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    for number in range(3):
        pixels = torch.randint(
            0, 256, (8, 1, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(number)
        )
        network.train()
        loss = nn.functional.cross_entropy(network(pixels), torch.arange(8) % CLASSES)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def changed(network: Network, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}


def snapshot(network: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "resnet18", "densenet121", "efficientnet_b0"])
def test_a_frozen_body_keeps_every_parameter_and_every_buffer(name: str) -> None:
    network = network_of("head", name)
    before = snapshot(network)
    step(network)
    moved = changed(network, before)
    assert moved
    assert moved <= {"head.1.weight", "head.1.bias"}


def test_last_n_modules_train_with_their_batch_norms_and_nothing_before_them_moves() -> None:
    network = network_of({"last": 3})
    before = snapshot(network)
    step(network)
    owners = [name for name, module in network.body.named_modules() if list(module.parameters(recurse=False))][-3:]
    moved = {name.rsplit(".", 1)[0].removeprefix("body.") for name in changed(network, before)}
    assert moved == {*owners, "head.1"}


def test_all_trains_everything() -> None:
    network = network_of("all")
    before = snapshot(network)
    step(network)
    unmoved = set(before) - changed(network, before)
    assert unmoved == {"normalise.mean", "normalise.std"}


def test_frozen_modules_stay_in_eval_mode_and_trained_ones_follow() -> None:
    network = network_of({"last": 4}).train()
    trained = set(trained_modules(network, Strategy(train={"last": 4})))
    assert all(module.training == (module in trained) for module in network.body.modules())
    assert all(module.training for module in network.head.modules())
    assert not any(module.training for module in network.eval().modules())


def test_a_frozen_body_gives_the_same_features_in_train_and_eval_mode() -> None:
    network = network_of("head", "resnet18")
    pixels = torch.randint(0, 256, (4, 1, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(network.train().features(pixels), network.eval().features(pixels))


@pytest.mark.parametrize("count", [1, 3, 12, 20])
def test_last_n_counts_modules_that_own_parameters(count: int) -> None:
    network = network_of({"last": count})
    trained = trained_modules(network, Strategy(train={"last": count}))
    assert len(trained) == count
    owners = [module for module in network.body.modules() if list(module.parameters(recurse=False))]
    assert trained == owners[-count:]


def test_none_trains_nothing_at_all() -> None:
    network = network_of("none").train()
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not any(module.training for module in network.head.modules())
