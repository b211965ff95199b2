"""The block that is mapped: found on models of every kind, or named."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from builders import assembled, slow_unless

from medtransfer.deployment.explain.blocks import find_block, open_block
from medtransfer.deployment.explain.explainer import Explainer
from medtransfer.util.errors import UserError

LAST = {
    "cnn_small": "features.7",
    "alexnet": "features.11",
    "vgg11": "features.19",
    "resnet18": "layer4",
    "densenet121": "features",
    "googlenet": "inception5b",
    "squeezenet1_1": "features",
    "shufflenet_v2_x0_5": "conv5",
    "mobilenet_v3_small": "features",
    "efficientnet_b0": "features",
    "convnext_tiny": "features",
    "swin_t": "features",
    "vit_b_32": "encoder.layers.encoder_layer_11.ln_1",
    "timm/vit_tiny_patch16_224": "blocks.11.norm1",
    "timm/vit_small_patch16_dinov3": "body.blocks.11.norm1",
    "timm/vit_little_patch16_reg1_gap_256": "blocks.13",
    "timm/convnext_atto": "norm_pre",
    "timm/tf_efficientnet_lite0": "bn2",
    "timm/swin_tiny_patch4_window7_224": "layers",
    "timm/mobilevit_xxs": "final_conv",
}


@pytest.mark.parametrize("model", slow_unless(set(LAST) - {"vit_b_32", "vgg11", "swin_t"}, LAST))
def test_the_last_spatial_block_is_found_and_opening_it_changes_no_output(model: str) -> None:
    network = assembled(model, "linear", 64)
    pixels = np.random.default_rng(1).integers(0, 255, (2, 64, 64, 1), np.uint8)
    inputs = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    with torch.no_grad():
        before = network(inputs)
        block = open_block(network, None, 64, "here")
        after = network(inputs)
    assert block.name == LAST[model]
    assert torch.equal(before, after)
    maps = Explainer(network, block, lambda logits: logits).maps("grad_cam", pixels, np.array([0, 2]))
    assert maps.shape == (2, 64, 64)
    assert np.isfinite(maps).all()
    assert (maps >= 0).all()
    other = Explainer(network, block, lambda logits: logits).maps("grad_cam", pixels, np.array([1, 1]))
    assert not np.array_equal(maps, other)


def test_blocks_with_a_single_cell_are_skipped() -> None:
    assert find_block(assembled("resnet18", "linear", 64), 64) == "layer4"
    assert find_block(assembled("resnet18", "linear", 32), 32) == "layer3"


def test_a_named_block_is_used() -> None:
    network = assembled("resnet18", "linear", 64)
    block = open_block(network, "layer2", 64, "here")
    shapes: list[torch.Size] = []
    block.grid.register_forward_hook(lambda _module, _inputs, output: shapes.append(output.shape))
    network(torch.zeros(1, 1, 64, 64, dtype=torch.uint8))
    assert shapes == [(1, 128, 8, 8)]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("layer5", "explain.blocks.x: no block 'layer5'; did you mean 'layer4'?"),
        ("avgpool", "block 'avgpool' does not return a spatial grid"),
        ("", "no block ''"),
    ],
)
def test_an_unknown_or_not_spatial_block_is_an_error(name: str, problem: str) -> None:
    with pytest.raises(UserError) as caught:
        open_block(assembled("resnet18", "linear", 64), name, 64, "explain.blocks.x")
    assert problem in str(caught.value)
