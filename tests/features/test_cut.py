"""Every model in two parts: the cut is found, and both parts together compute the bits of the whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from builders import DESIGNS, MODELS, assembled, size_for, slow_unless, without_initialisation
from torch import nn

from medtransfer.features import cut as cut_module
from medtransfer.features.cut import (
    MULTIPLY_ADDS_PER_BYTE,
    CannotCutError,
    TensorSpec,
    cut_body,
    cut_network,
    fold_batch_norms,
    pack,
    unpack,
)
from medtransfer.models.network import Network, Normalise

NAMES = slow_unless(DESIGNS, MODELS)


@pytest.fixture
def unfolded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave batch norms unfolded, so that the parts compute the bits of the whole."""
    monkeypatch.setattr(cut_module, "_folded", lambda prefix: prefix)


def random_network(name: str, train: object, size: int, head: str = "linear") -> Network:
    """Build a network whose tensors are all random, batch norm statistics too."""
    with without_initialisation():
        network = assembled(name, head, size, train)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for key, tensor in network.state_dict().items():
            if not tensor.is_floating_point():
                continue
            if tensor.ndim > 1:
                tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=generator)
            else:
                low, high = (0.5, 1.5) if key.endswith(("weight", "running_var")) else (-0.1, 0.1)
                tensor.uniform_(low, high, generator=generator)
    return network


def pixels_of(size: int, channels: int = 1) -> torch.Tensor:
    return torch.randint(
        0, 256, (4, channels, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )


@pytest.mark.parametrize("name", NAMES)
def test_both_parts_of_every_model_together_are_the_whole(name: str, unfolded: None) -> None:
    size = size_for(name)
    network, pixels = random_network(name, {"last": 3}, size), pixels_of(size)
    cut = cut_network(network, size)
    if cut is None:
        assert name in CHEAP, "its prefix is worth caching"
        return
    with torch.inference_mode():
        rows = cut.prefix(pixels)
        assert rows.shape == (4, cut.row_bytes)
        assert torch.equal(cut.rest(rows), network(pixels))


CHEAP = ("cnn_small", "cnn_large")
"""Most of their computation is in the last three layers."""


@pytest.mark.parametrize("name", NAMES)
def test_folding_batch_norms_does_not_change_the_features_of_any_model(name: str) -> None:
    """In float64, because deep random networks amplify rounding errors ten billion times."""
    size = size_for(name)
    body = random_network(name, "head", size).body.double()
    before = {key: value.clone() for key, value in body.state_dict().items()}
    images = torch.rand(2, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    folded = fold_batch_norms(body)
    with torch.inference_mode():
        torch.testing.assert_close(folded(images), body(images), rtol=1e-4, atol=1e-4)
    assert all(torch.equal(value, before[key]) for key, value in body.state_dict().items())
    left, all_of_them = (sum(isinstance(m, nn.BatchNorm2d) for m in module.modules()) for module in (folded, body))
    assert left < all_of_them or not all_of_them or name in NORMS_FIRST


NORMS_FIRST = ("densenet",)
"""Batch norms that precede their convolutions cannot be folded."""


@pytest.mark.parametrize(
    "name", slow_unless(("resnet18",), ("resnet18", "mobilenet_v3_small", "densenet121", "vit_b_32"))
)
@pytest.mark.parametrize("last", [1, 4, 11])
def test_gradients_of_the_rest_are_those_of_the_whole(name: str, last: int, unfolded: None) -> None:
    size = size_for(name)
    network, pixels = random_network(name, {"last": last}, size), pixels_of(size)
    cut = cut_network(network, size)
    assert cut is not None
    with torch.inference_mode():
        rows = cut.prefix(pixels)
    found = []
    for run, inputs in ((network, pixels), (cut.rest, rows.clone())):
        state = {key: value.clone() for key, value in network.state_dict().items()}
        network.train()
        network.zero_grad()
        run(inputs).square().sum().backward()
        gradients = {key: p.grad.clone() for key, p in network.named_parameters() if p.grad is not None}
        found.append((gradients, {key: value.clone() for key, value in network.named_buffers()}))
        network.load_state_dict(state)
    (whole, buffers), (rest, others) = found
    assert whole.keys() == rest.keys()
    assert len([key for key in whole if key.startswith("body")]) > 0
    for key, gradient in whole.items():
        torch.testing.assert_close(rest[key], gradient, rtol=1e-4, atol=1e-5)
    for key, buffer in buffers.items():
        torch.testing.assert_close(others[key], buffer)


@pytest.mark.parametrize("train", ["head", "none"])
@pytest.mark.parametrize("head", ["linear", "own"])
def test_a_frozen_body_is_cut_after_its_features(train: str, head: str) -> None:
    network, pixels = random_network("squeezenet1_1", train, 64, head), pixels_of(64)
    cut = cut_network(network, 64)
    assert cut is not None
    assert cut.name == "features"
    with torch.inference_mode():
        assert torch.equal(cut.rest(cut.prefix(pixels)), network(pixels))
        assert cut.row_bytes == 4 * network.features(pixels).shape[1]


def test_a_network_that_trains_as_a_whole_is_not_cut() -> None:
    assert cut_network(random_network("resnet18", "all", 64), 64) is None


def test_the_cut_follows_all_frozen_layers_if_both_branches_of_a_residual_block_are_cheap() -> None:
    network = random_network("resnet18", {"last": 3}, 64)  # the second block's bn1, conv2, bn2
    cut = cut_body(network.body, network.normalise(pixels_of(64)[:3]))
    assert cut is not None
    assert [part.shape for part in cut.specs] == [(512, 2, 2), (512, 2, 2)]  # the block's input, and conv1's output
    assert not [node for node in cut.rest.graph.nodes if node.target == "layer4.1.conv1"]


def test_the_cheaper_of_two_cuts_is_taken() -> None:
    """The wide layer after the narrow one costs little to compute and much to cache."""
    narrow, wide, trained = nn.Linear(1024, 4), nn.Linear(4, 2048), nn.Linear(2048, 2)
    body = nn.Sequential(nn.Flatten(), narrow, wide, trained)
    for layer in (narrow, wide):
        layer.requires_grad_(False)
    assert MULTIPLY_ADDS_PER_BYTE * 4 * 2048 > 4 * 2048
    cut = cut_body(body, torch.randn(3, 1, 32, 32))
    assert cut is None or cut.specs == (TensorSpec((4,), (1,), torch.float32),)


def test_a_prefix_that_is_cheaper_to_compute_than_to_read_is_not_cached() -> None:
    body = nn.Sequential(nn.Conv2d(3, 64, 1), nn.ReLU(), nn.Flatten(), nn.Linear(64 * 64, 2))
    body[0].requires_grad_(False)
    assert cut_body(body, torch.randn(3, 3, 8, 8)) is None


class DependsOnItsBatch(nn.Module):
    """Not traceable: the control flow depends on values."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen, self.trained = nn.Linear(4096, 8).requires_grad_(False), nn.Linear(8, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        values = self.frozen(images.flatten(1))
        return self.trained(values if values.sum() > 0 else -values)


class ChangesItsInput(nn.Module):
    """A frozen value that is changed in place after a trained layer has read a part of it."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen, self.trained = nn.Linear(4096, 8).requires_grad_(False), nn.Linear(1, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        values = self.frozen(images.flatten(1))
        learned = self.trained(values[:, :1])
        return learned + values.mul_(3.0).sum(dim=1, keepdim=True)


@pytest.mark.parametrize("make", [DependsOnItsBatch, ChangesItsInput])
def test_a_body_whose_parts_would_compute_something_else_is_refused(make: Callable[[], nn.Module]) -> None:
    with pytest.raises(CannotCutError):
        cut_body(make(), torch.randn(3, 1, 64, 64))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
def test_tensors_at_a_cut_are_unpacked_to_the_same_bits(dtype: torch.dtype) -> None:
    shapes = [(5, 6, 3, 2), (5, 7), (5, 2, 4), (5, 4, 3, 2)]
    tensors = [torch.randn(shape).to(dtype) for shape in shapes]
    tensors[0] = tensors[0].contiguous(memory_format=torch.channels_last)
    tensors[2] = torch.randn(5, 4, 2).to(dtype).transpose(1, 2)
    specs = tuple(TensorSpec.of(tensor) for tensor in tensors)
    rows = pack(tensors, specs)
    assert rows.dtype == torch.uint8
    assert rows.shape == (5, sum(part.row_bytes for part in specs))
    chosen = torch.tensor([4, 0, 0])
    back = unpack(rows[chosen], specs)
    for one, other in zip(tensors, back, strict=True):
        assert torch.equal(one[chosen], other)
        assert one.stride()[1:] == other.stride()[1:]


def test_tensors_of_another_layout_are_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        pack([torch.zeros(2, 3)], [TensorSpec((4,), (1,), torch.float32)])


def test_the_prefix_of_colour_and_grey_images(unfolded: None) -> None:
    network = random_network("mobilenet_v3_small", {"last": 2}, 64)
    cut = cut_network(network, 64)
    assert cut is not None
    assert isinstance(network.normalise, Normalise)
    with torch.inference_mode():
        for channels in (1, 3):
            pixels = pixels_of(64, channels)
            assert torch.equal(cut.rest(cut.prefix(pixels)), network(pixels))
