"""Tokens of images, and features of the last blocks of a transformer, against the models' own outputs."""

from __future__ import annotations

import pytest
import torch
from builders import slow

from medtransfer.models.families import ClassifierFamily
from medtransfer.models.tokens import Select
from medtransfer.models.torchvision_models import library
from medtransfer.study import Features
from medtransfer.util.errors import UserError

CONVOLUTIONAL = ["alexnet", "cnn_small", "densenet121", "efficientnet_b0", "googlenet", "mnasnet0_5", "mobilenet_v2",
                 "mobilenet_v3_small", "regnet_y_400mf", "resnet18", "shufflenet_v2_x0_5", "squeezenet1_1",
                 "timm/resnet10t"]  # fmt: skip
VIT = "timm/vit_tiny_patch16_224"
IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("model", CONVOLUTIONAL)
def test_the_mean_of_a_maps_places_is_its_averaged_features(model: str) -> None:
    family = ClassifierFamily.of(model)
    module = family.build(model, 64).eval()
    family.replace_auxiliary_heads(module, None)
    if hasattr(module, "transform_input"):
        module.transform_input = True  # type: ignore[assignment]
    family.remove_classifier(module, keep_spatial=False)
    with torch.inference_mode():
        tokens = family.with_tokens(module, model).eval()(IMAGES)
        assert tokens.ndim == 3
        torch.testing.assert_close(tokens.mean(dim=1), module(IMAGES), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", [VIT, slow("vit_b_32")])
def test_the_first_token_of_a_transformer_is_its_features(model: str) -> None:
    family = ClassifierFamily.of(model)
    module = family.build(model, 64).eval()
    family.remove_classifier(module, keep_spatial=False)
    with torch.inference_mode():
        torch.testing.assert_close(family.with_tokens(module, model)(IMAGES)[:, 0], module(IMAGES))


def dinov2_input(outputs: list[tuple[torch.Tensor, torch.Tensor]], blocks: int, with_mean: bool) -> torch.Tensor:
    """Concatenate features as DINOv2's linear probe does, from pairs of patch tokens and class token."""
    used = outputs[-blocks:]
    parts = [token for _, token in used]
    return torch.cat(parts + ([used[-1][0].mean(dim=1)] if with_mean else []), dim=-1)


@pytest.mark.parametrize("blocks", [1, 4])
def test_features_of_blocks_are_those_of_the_probe_of_dinov2(blocks: int) -> None:
    torch.manual_seed(0)
    vit = library("timm").create_model(VIT[5:], img_size=64, num_classes=0).eval()
    body = ClassifierFamily.of(VIT).with_blocks(vit, VIT, 4)
    with torch.inference_mode():
        features = body(IMAGES)
        outputs = [
            (patches, tokens[:, 0])
            for patches, tokens in vit.get_intermediate_layers(IMAGES, n=4, return_prefix_tokens=True, norm=True)
        ]
    for pooling, with_mean in (("token", False), ("token_avg", True)):
        found = Select(body.spans(Features(blocks=blocks, pooling=pooling)))(features)
        torch.testing.assert_close(found, dinov2_input(outputs, blocks, with_mean))
    found = Select(body.spans(Features(blocks=blocks, pooling="avg")))(features)
    torch.testing.assert_close(found, torch.cat([patches.mean(dim=1) for patches, _ in outputs[-blocks:]], dim=1))


def test_models_without_such_features_are_refused() -> None:
    family = ClassifierFamily.of(VIT)
    with torch.device("meta"):
        names = ("vit_tiny_patch16_224", "vit_base_patch16_siglip_224", "resnet10t")
        vit, siglip, cnn = (library("timm").create_model(name) for name in names)
    with pytest.raises(UserError, match="has 12 blocks, not 13"):
        family.with_blocks(vit, VIT, 13)
    with pytest.raises(UserError, match="no class token; use pooling: avg"):
        family.with_blocks(siglip, VIT, 2).spans(Features(blocks=2, pooling="token"))
    assert family.with_blocks(siglip, VIT, 2).spans(Features(blocks=1, pooling="avg")) == [(768, 1536)]
    with pytest.raises(UserError, match="is not a transformer"):
        family.with_blocks(cnn, "timm/resnet10t", 1)
    with pytest.raises(UserError, match="not a transformer of timm or open_clip"):
        ClassifierFamily.of("resnet18").with_blocks(cnn, "resnet18", 1)
