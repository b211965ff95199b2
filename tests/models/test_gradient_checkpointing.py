"""Gradient checkpointing compared with the plain network: the same bits, less memory."""

from __future__ import annotations

import copy

import pytest
import torch
from builders import MODELS, assembled, size_for, slow_unless, without_initialisation
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from medtransfer.models.blocks import blocks_of
from medtransfer.models.families import SegmenterFamily, build_on_meta
from medtransfer.models.gradient_checkpointing import forget_activations
from medtransfer.models.network import Network, Normalise
from medtransfer.study import Backbone, UNet

FAMILIES = (
    "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3", "maxvit_t",
    "mnasnet1_0", "mobilenet_v2", "mobilenet_v3_small", "regnet_y_400mf", "resnet18", "resnext50_32x4d",
    "shufflenet_v2_x1_0", "squeezenet1_1", "swin_t", "swin_v2_t", "timm/convnext_atto", "timm/vit_tiny_patch16_224",
    "vit_b_32",
)  # fmt: skip
"""One of each design that has blocks."""

NAMES = slow_unless(("resnet18", "squeezenet1_1", "timm/vit_tiny_patch16_224"), FAMILIES)

LESS = {"densenet121": 0.6, "googlenet": 0.8, "resnet18": 0.6, "squeezenet1_1": 0.7}
"""The share of memory that is still needed, where it is more than .5."""


def network_of(name: str) -> Network:
    with without_initialisation():
        network = assembled(name, "own", size_for(name))
    torch.manual_seed(1)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return network.train()


def pass_through(network: nn.Module, inputs: torch.Tensor) -> int:
    """Accumulate the gradients of two batches; return the bytes that the first saves for its backward pass."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    torch.manual_seed(2)  # dropout, stochastic depth
    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = network(inputs)
    total = sum(size for place, size in kept.items() if place not in own)
    outputs.square().mean().backward()
    network(inputs.flip(0)).square().mean().backward()
    return total


@pytest.mark.parametrize("name", NAMES)
def test_gradients_and_statistics_have_the_same_bits(name: str) -> None:
    network, size = network_of(name), size_for(name)
    forgetful = copy.deepcopy(network)
    forget_activations(forgetful)
    inputs = torch.randint(256, (4, 1, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    usual, less = pass_through(network, inputs), pass_through(copy.deepcopy(forgetful), inputs)
    assert less < LESS.get(name, 0.5) * usual
    pass_through(forgetful, inputs)
    assert list(network.state_dict()) == list(forgetful.state_dict())
    for (key, wanted), found in zip(network.state_dict().items(), forgetful.state_dict().values(), strict=True):
        assert torch.equal(wanted, found), key
    for (key, one), other in zip(network.named_parameters(), forgetful.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None), key
        assert one.grad is None or torch.equal(one.grad, other.grad), key


@pytest.mark.parametrize("model", ["unet", "resnet18"])
def test_the_gradients_of_a_segmenter_have_the_same_bits(model: str) -> None:
    torch.manual_seed(0)
    parts = SegmenterFamily.of(model).build(model, Backbone(weights="none", unet=UNet(base=4)), 2, 0.2)
    network = Network(Normalise([0.0] * 3, [1.0] * 3), *parts).train()
    forgetful = copy.deepcopy(network)
    forget_activations(forgetful)
    inputs = torch.randint(256, (2, 1, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert pass_through(forgetful, inputs) < 0.6 * pass_through(network, inputs)
    for (key, one), other in zip(network.named_parameters(), forgetful.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad), key
    for (key, wanted), found in zip(network.state_dict().items(), forgetful.state_dict().values(), strict=True):
        assert torch.equal(wanted, found), key


@pytest.mark.slow
def test_only_plain_sequences_of_layers_have_no_blocks() -> None:
    found = {name for name in MODELS if not list(blocks_of(build_on_meta(name, size_for(name))))}
    assert found == {"alexnet", "cnn_small", "cnn_large", *(name for name in MODELS if name.startswith("vgg"))}


def test_nothing_changes_without_gradients() -> None:
    network = network_of("resnet18").eval()
    forgetful = copy.deepcopy(network)
    forget_activations(forgetful)
    inputs = torch.randint(256, (2, 1, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(network(inputs), forgetful(inputs))
