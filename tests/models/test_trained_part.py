"""The part of a backbone that trains: exactly the parameters that a strategy names move, in any family."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from builders import CLASSES, assembled, slow, slow_unless
from torch import nn

from medtransfer.features.cut import cut_network
from medtransfer.models.network import Network
from medtransfer.study import Strategy
from medtransfer.training.optimizers import build_optimizer

SIZES = {"timm/vit_tiny_patch16_224": 32, "timm/convnext_atto": 64, "vit_b_32": 64, "resnet18": 64}
"""Models and their image sizes."""


def pixels_of(size: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (4, 1, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def awake(network: Network) -> Network:
    """Set the scales of blocks to 1: those of ConvNeXt and BEiT are 1e-6 at first, and so are their gradients."""
    with torch.no_grad():
        for name, parameter in network.body.named_parameters():
            if "gamma" in name:
                parameter.fill_(1.0)
    return network


def moved_by_a_step(network: Network, size: int) -> set[str]:
    """Train for a step on random pixels; return the tensors of the body that it changed."""
    before = {name: tensor.clone() for name, tensor in network.body.state_dict().items()}
    optimizer = torch.optim.SGD([one for one in network.parameters() if one.requires_grad], lr=0.1)
    network.train()
    nn.functional.cross_entropy(network(pixels_of(size)), torch.arange(4) % CLASSES).backward()
    optimizer.step()
    return {name for name, tensor in network.body.state_dict().items() if not torch.equal(tensor, before[name])}


BLOCKS = [
    ("timm/vit_tiny_patch16_224", 2, ("blocks.10.", "blocks.11.", "norm.")),
    ("timm/convnext_atto", 3, ("stages.2.blocks.5.", "stages.3.", "head.norm.")),
    slow("vit_b_32", 1, ("encoder.layers.encoder_layer_11.", "encoder.ln.")),
    ("resnet18", 2, ("layer4.",)),
]


@pytest.mark.parametrize(("name", "count", "prefixes"), BLOCKS)
def test_the_last_blocks_train_with_what_follows_them_and_nothing_before_them_moves(
    name: str, count: int, prefixes: tuple[str, ...]
) -> None:
    network = awake(assembled(name, "linear", SIZES[name], {"last_blocks": count}))
    named = {key for key, one in network.body.named_parameters() if one.requires_grad}
    assert named == {key for key, _ in network.body.named_parameters() if key.startswith(prefixes)}
    assert all(any(key.startswith(prefix) for key in named) for prefix in prefixes)
    moved = moved_by_a_step(network, SIZES[name])
    assert moved <= {key for key in network.body.state_dict() if key.startswith(prefixes)}
    assert len(moved & named) > 0.8 * len(named)  # keys' biases have no gradient


@pytest.mark.parametrize("name", slow_unless(set(SIZES) - {"vit_b_32"}, SIZES))
@pytest.mark.parametrize("train", ["norms", "biases"])
def test_norms_and_biases_move_and_nothing_else(name: str, train: str) -> None:
    network = awake(assembled(name, "linear", SIZES[name], train))
    modules = dict(network.body.named_modules())
    norms = {key for key, module in modules.items() if isinstance(module, nn.BatchNorm2d | nn.LayerNorm)}
    allowed = {key for key in network.body.state_dict() if key.rpartition(".")[0] in norms}
    if train == "biases":
        allowed = {key for key in network.body.state_dict() if key.endswith("bias")}
    moved = moved_by_a_step(network, SIZES[name])
    assert moved <= allowed
    assert len(moved) > 0.8 * len(allowed)
    assert {key for key, one in network.body.named_parameters() if one.requires_grad} <= allowed


@pytest.mark.parametrize("name", ["timm/vit_tiny_patch16_224", "timm/convnext_atto"])
def test_the_cut_is_before_the_blocks_that_train(name: str) -> None:
    size = SIZES[name]
    network = assembled(name, "linear", size, {"last_blocks": 2})
    cut = cut_network(network, size)
    assert cut is not None
    with torch.inference_mode():
        torch.testing.assert_close(cut.rest(cut.prefix(pixels_of(size))), network(pixels_of(size)))
    trained = {id(one) for one in network.parameters() if one.requires_grad}
    in_rest = {id(one) for one in cut.rest.parameters()}
    assert trained <= in_rest
    frozen_in_rest = [one for one in cut.rest.parameters() if id(one) not in trained]
    assert sum(one.numel() for one in frozen_in_rest) == 0


@pytest.mark.parametrize("name", ["timm/vit_tiny_patch16_224", "timm/convnext_atto"])
def test_rates_rise_from_layer_to_layer_of_the_blocks_that_train(name: str) -> None:
    options: dict[str, Any] = {"train": {"last_blocks": 2}, "lr": 1e-2, "backbone_lr": 1e-3, "first_layer_lr": 1e-5}
    network = assembled(name, "linear", SIZES[name], {"last_blocks": 2})
    groups = build_optimizer(network, Strategy.model_validate(options)).param_groups
    rates = [group["lr"] for group in groups]
    assert rates[0] == pytest.approx(1e-5)
    assert rates[-2:] == pytest.approx([1e-3, 1e-2])
    assert rates == sorted(rates)
    first, _, last = groups[0]["params"], None, groups[-2]["params"]
    order = {id(one): number for number, one in enumerate(network.body.parameters())}
    assert max(order[id(one)] for one in first) < min(order[id(one)] for one in last)
