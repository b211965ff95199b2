"""Low-rank adapters: nothing changes at first, only they train, and merging changes no output."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from builders import assembled, slow
from models.test_trained_part import awake, moved_by_a_step, pixels_of
from torch import nn

from medtransfer.features.cut import cut_network
from medtransfer.models.low_rank import LowRank, add_adapters, merge_adapters
from medtransfer.models.network import Network
from medtransfer.study import Strategy

ADAPTED = [
    ("timm/vit_tiny_patch16_224", 32, {}, 24),
    ("timm/vit_tiny_patch16_224", 32, {"last_blocks": 2}, 4),
    slow("vit_b_32", 32, {"last_blocks": 2}, 4),
    slow("swin_t", 224, {"last_blocks": 2}, 4),
    slow("timm/beit_base_patch16_224", 32, {"last_blocks": 1}, 2),
    slow("timm/convnext_atto", 64, {"targets": "all", "last_blocks": 2}, 4),
    ("resnet18", 64, {"targets": "all"}, 20),
]
"""Models, their image sizes, options of their adapters, and the number of adapted weights."""


def adapted(name: str, size: int, options: dict[str, Any], rank: int = 4) -> tuple[Network, Network]:
    """Return a network with adapters, and the same network with the backbone frozen."""
    train = {"lora": {"rank": rank, "alpha": 2 * rank, **options}}
    network, frozen = awake(assembled(name, "linear", size, train)), awake(assembled(name, "linear", size, "head"))
    add_adapters(network, Strategy.model_validate({"train": train}), (0, 0))
    return network.eval(), frozen.eval()


def logits(network: nn.Module, size: int) -> torch.Tensor:
    with torch.inference_mode():
        return network(pixels_of(size, seed=1))


@pytest.mark.parametrize(("name", "size", "options", "count"), ADAPTED)
def test_adapters_begin_as_the_frozen_model_move_alone_and_merge_without_a_change(
    name: str, size: int, options: dict[str, Any], count: int
) -> None:
    network, frozen = adapted(name, size, options)
    adapters = [key for key, module in network.body.named_modules() if isinstance(module, LowRank)]
    assert len(adapters) == count
    assert torch.equal(logits(network, size), logits(frozen, size))

    for key in adapters:  # A has no gradient until B is not 0
        nn.init.normal_(network.body.get_submodule(key).b, std=0.1)
    moved = moved_by_a_step(network, size)
    assert moved == {f"{key}.{part}" for key in adapters for part in "ab"}
    network.eval()
    before = logits(network, size)
    assert not torch.allclose(before, logits(frozen, size), atol=1e-4)

    merge_adapters(network)
    torch.testing.assert_close(logits(network, size), before, rtol=0, atol=1e-5)
    assert network.body.state_dict().keys() == frozen.body.state_dict().keys()
    assert str(network.body) == str(frozen.body)
    usual = frozen.body.state_dict()
    assert sum(not torch.equal(one, usual[key]) for key, one in network.body.state_dict().items()) == count


def test_a_weight_is_adapted_by_the_scaled_product_of_its_matrices() -> None:
    layer = LowRank(torch.zeros(6, 5, 3, 3), rank=2, alpha=8.0)
    nn.init.normal_(layer.b)
    weight = torch.randn(6, 5, 3, 3)
    for row in range(6):
        product = sum(layer.b[row, k] * layer.a[k].view(5, 3, 3) for k in range(2))
        torch.testing.assert_close(layer(weight)[row], weight[row] + 4.0 * product)


@pytest.mark.parametrize(("name", "size", "options", "count"), ADAPTED[1:4])
def test_what_precedes_the_first_adapted_block_is_cut_off(
    name: str, size: int, options: dict[str, Any], count: int
) -> None:
    network, _ = adapted(name, size, options)
    cut = cut_network(network, size)
    assert cut is not None
    whole = sum(one.numel() for one in network.body.parameters())
    assert sum(one.numel() for one in cut.rest.body.parameters()) < 0.75 * whole
    moved_by_a_step(network, size)
    network.eval(), cut.rest.eval()
    with torch.inference_mode():
        torch.testing.assert_close(
            cut.rest(cut.prefix(pixels_of(size))), network(pixels_of(size)), rtol=1e-5, atol=1e-5
        )


def test_adapters_are_drawn_from_the_key_alone() -> None:
    strategy = Strategy.model_validate({"train": {"lora": {"rank": 2, "targets": "all"}}})
    networks = [assembled("resnet18", "linear", 64, {"lora": {"targets": "all"}}) for _ in range(3)]
    for network, key in zip(networks, ((0, 0), (0, 0), (1, 0)), strict=True):
        torch.rand(1)
        add_adapters(network, strategy, key)
    first, again, other = (network.body.conv1.parametrizations.weight[0].a for network in networks)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
