"""The network: normalisation to the bit of its formula, frozen modules to the bit of what they were, its cost."""

from __future__ import annotations

import pytest
import torch
from builders import CLASSES, assembled
from torch import nn

from medtransfer.models.network import Network, Normalise, count_multiply_adds


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("packed", [True, False], ids=["channels last", "channels first"])
def test_normalised_pixels_have_the_bits_of_the_formula(channels: int, packed: bool) -> None:
    pixels = torch.randint(0, 256, (5, channels, 9, 7), dtype=torch.uint8)
    if packed:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    expected = (pixels.float() / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    images = Normalise(mean, std)(pixels)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, expected)


def test_multiply_adds_of_resnet18_match_its_paper() -> None:
    network = assembled("resnet18", "own", 224)
    assert count_multiply_adds(network, 224) == pytest.approx(1.8e9, rel=0.02)  # He et al. 2016, table 1


def test_multiply_adds_of_a_convolution_match_a_count_by_hand() -> None:
    body, head = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten()), nn.Linear(4 * 8 * 8, 2)
    network = Network(Normalise((0.0,) * 3, (1.0,) * 3), body, head)
    assert count_multiply_adds(network, 8) == 8 * 8 * 4 * 3 * 9 + 4 * 8 * 8 * 2


class LearnedQuery(nn.Module):
    """Answers a query of its own, whatever the images show, as pools by attention begin."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.linear = nn.Parameter(torch.zeros(1, 1, 4)), nn.Linear(4, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.linear(self.query.expand(len(images), -1, -1))
        return answer[:, 0]


def test_multiply_adds_are_counted_where_a_learned_query_trains() -> None:
    network = Network(Normalise((0.0,) * 3, (1.0,) * 3), LearnedQuery(), nn.Linear(3, 2))
    assert count_multiply_adds(network, 8) == 4 * 3 + 3 * 2
    assert all(parameter.requires_grad for parameter in network.parameters())


def frozen_network(train: object, name: str = "mobilenet_v3_small") -> Network:
    torch.manual_seed(0)
    return assembled(name, "linear", 64, train=train)


def step(network: Network) -> None:
    """Train for three steps on random pixels."""
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


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "resnet18"])
def test_a_frozen_body_keeps_every_parameter_and_every_buffer(name: str) -> None:
    network = frozen_network("head", name)
    before = snapshot(network)
    step(network)
    moved = changed(network, before)
    assert moved
    assert moved <= {"head.1.weight", "head.1.bias"}


def test_the_last_n_modules_train_with_their_batch_norms_and_nothing_before_them_changes() -> None:
    network = frozen_network({"last": 3})
    before = snapshot(network)
    step(network)
    owners = [name for name, module in network.body.named_modules() if list(module.parameters(recurse=False))][-3:]
    moved = {name.rsplit(".", 1)[0].removeprefix("body.") for name in changed(network, before)}
    assert moved == {*owners, "head.1"}


def test_train_all_trains_everything() -> None:
    network = frozen_network("all")
    before = snapshot(network)
    step(network)
    unmoved = set(before) - changed(network, before)
    assert unmoved == {"normalise.mean", "normalise.std"}


def test_frozen_modules_stay_in_eval_mode_and_trained_ones_follow() -> None:
    network = frozen_network({"last": 4}).train()
    trained = set(network.body.modules()) - set(network.frozen)
    assert all(module.training == (module in trained) for module in network.body.modules())
    assert all(module.training for module in network.head.modules())
    assert not any(module.training for module in network.eval().modules())


def test_a_frozen_body_returns_the_same_features_in_train_and_eval_mode() -> None:
    network = frozen_network("head", "resnet18")
    pixels = torch.randint(0, 256, (4, 1, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(network.train().features(pixels), network.eval().features(pixels))


@pytest.mark.parametrize("count", [1, 3, 12, 20])
def test_last_n_counts_modules_that_own_parameters(count: int) -> None:
    network = frozen_network({"last": count})
    trained = [module for module in network.body.modules() if module not in network.frozen]
    assert len(trained) == count
    owners = [module for module in network.body.modules() if list(module.parameters(recurse=False))]
    assert trained == owners[-count:]


def test_train_none_trains_nothing() -> None:
    network = frozen_network("none").train()
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not any(module.training for module in network.head.modules())
