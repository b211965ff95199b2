"""U-Nets: their shapes and parts, and encoders that take the weights of their classification models."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from builders import DESIGNS, slow_unless, without_initialisation
from torch import nn

from medtransfer.models.families import SegmenterFamily, build_backbone
from medtransfer.models.families.unet import UNetDecoder, UNetEncoder
from medtransfer.models.torchvision_models import library
from medtransfer.models.weights import load_encoder
from medtransfer.study import Backbone
from medtransfer.util.errors import UserError

ENCODERS = [name for name in SegmenterFamily.all_names() if name != "unet" and not name.startswith("timm/")]
ENCODERS += ["timm/resnet10t", "timm/convnext_atto", "timm/tf_efficientnet_lite0", "timm/densenet121"]


def plain(size: int = 32, base: int = 4, depth: int = 3, batch_norm: bool = False, dropout: float = 0.0) -> Any:
    torch.manual_seed(0)
    encoder = UNetEncoder(base, depth, batch_norm, dropout)
    decoder = UNetDecoder(base, depth, batch_norm, dropout, 2)
    return encoder, decoder, torch.randn(2, 3, size, size)


def build_segmenter(name: str, spec: Backbone, outputs: int, dropout: float) -> tuple[nn.Module, nn.Module]:
    return SegmenterFamily.of(name).build(name, spec, outputs, dropout)


def segmenter_problems(name: str, spec: Backbone, size: int) -> list[str]:
    return SegmenterFamily.backbone_problems(name, spec, size)


def parameters(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def test_feature_maps_halve_and_double() -> None:
    encoder, decoder, images = plain(size=48)
    maps = encoder(images)
    assert [tuple(found.shape[1:]) for found in maps] == [(4, 48, 48), (8, 24, 24), (16, 12, 12), (32, 6, 6)]
    assert decoder(maps).shape == (2, 2, 48, 48)


@pytest.mark.parametrize(("base", "depth", "batch_norm"), [(4, 1, False), (16, 4, False), (8, 3, True)])
def test_the_number_of_parameters_is_that_of_the_layers(base: int, depth: int, batch_norm: bool) -> None:
    encoder, decoder, _ = plain(base=base, depth=depth, batch_norm=batch_norm)

    def two(inputs: int, outputs: int) -> int:
        kernels = 9 * (inputs + outputs) * outputs
        return kernels + 2 * (2 * outputs if batch_norm else outputs)

    widths = [base * 2**level for level in range(depth + 1)]
    expected = sum(two(i, o) for i, o in zip([3, *widths[:-1]], widths, strict=True)) + base * 2 + 2
    expected += sum(4 * 2 * width * width + width + two(2 * width, width) for width in widths[:-1])
    assert parameters(encoder, decoder) == expected


def test_every_feature_map_changes_the_logits() -> None:
    encoder, decoder, images = plain()
    maps = encoder(images)
    whole = decoder(maps)
    for level in range(len(maps)):
        without = [torch.zeros_like(found) if number == level else found for number, found in enumerate(maps)]
        assert not torch.allclose(decoder(without), whole)


def test_dropout_acts_only_in_training() -> None:
    encoder, decoder, images = plain(dropout=0.5)
    encoder.train(), decoder.train()
    assert not torch.equal(decoder(encoder(images)), decoder(encoder(images)))
    encoder.eval(), decoder.eval()
    assert torch.equal(decoder(encoder(images)), decoder(encoder(images)))
    assert not any(isinstance(module, nn.Dropout) for module in plain(dropout=0.0)[0].modules())


def test_a_shift_by_whole_pools_shifts_the_logits() -> None:
    """Away from the border a U-Net is equivariant to shifts by 2 ** depth pixels: a wrong skip would not be."""
    encoder, decoder, _ = plain(depth=2)
    image = torch.zeros(1, 3, 64, 64)
    image[:, :, 24:30, 25:33] = 1.0
    moved = torch.roll(image, (8, 4), dims=(2, 3))
    first, second = decoder(encoder(image)), decoder(encoder(moved))
    torch.testing.assert_close(torch.roll(first, (8, 4), dims=(2, 3))[..., 24:48, 24:48], second[..., 24:48, 24:48])


@pytest.mark.parametrize("name", slow_unless(DESIGNS, ENCODERS))
def test_every_encoder_takes_the_weights_of_its_classification_model(name: str) -> None:
    with without_initialisation():
        encoder, decoder = build_segmenter(name, Backbone(weights="none"), 3, 0.1)
        source = build_backbone(name, 224)
    with torch.no_grad():
        for number, tensor in enumerate(source.state_dict().values()):
            if tensor.is_floating_point():
                tensor.fill_(number / 1000)
    load_encoder(encoder, source.state_dict(), "file")
    own, given = encoder.state_dict(), source.state_dict()
    assert own
    if name.startswith("timm/"):  # names differ; values are in the model's order
        own = dict(zip(given, own.values(), strict=False))
    assert all(torch.equal(tensor, given[key]) for key, tensor in own.items())
    left = {key.split(".")[0] for key in given if key not in own}
    assert left <= {"fc", "classifier", "head", "conv_head", "bn2"}
    with torch.inference_mode():
        assert decoder.eval()(encoder.eval()(torch.zeros(1, 3, 64, 64))).shape == (1, 3, 64, 64)


def test_base_sets_the_width_of_the_decoder_only() -> None:
    smp = library("segmentation_models_pytorch")

    plain_encoder, plain_decoder = build_segmenter("resnet18", Backbone(weights="none"), 1, 0.0)
    encoder, decoder = build_segmenter(
        "resnet18", Backbone.model_validate({"weights": "none", "unet": {"base": 4}}), 1, 0.0
    )
    assert parameters(plain_encoder, plain_decoder) == parameters(smp.Unet("resnet18", encoder_weights=None))
    assert parameters(encoder) == parameters(plain_encoder)
    channels = [module.out_channels for module in decoder.modules() if isinstance(module, nn.Conv2d)]
    assert channels == [64, 64, 32, 32, 16, 16, 8, 8, 4, 4, 1]


def test_weights_of_another_model_do_not_fit() -> None:
    encoder, _ = build_segmenter("resnet18", Backbone(weights="none"), 2, 0.0)
    with pytest.raises(UserError, match=r"^file: does not fit the encoder: it misses layer"):
        load_encoder(encoder, build_backbone("resnet50", 64).state_dict(), "file")


@pytest.mark.parametrize(
    ("name", "spec", "size", "problem"),
    [
        ("resnet81", {"weights": "none"}, 64, "no segmentation model 'resnet81'; did you mean 'resnet18'?"),
        ("efficientnet_b0", {"weights": "none"}, 64, "no segmentation model 'efficientnet_b0'"),
        ("unet", {"weights": "DEFAULT"}, 64, "weights: DEFAULT, but unet starts from random weights; use none"),
        ("unet", {"weights": "none"}, 72, "unet of depth 4 needs a multiple of 16 pixels, but data.image_size is 72"),
        ("timm/vit_tiny_patch16_224", {"weights": "none"}, 64, "timm/vit_tiny_patch16_224 cannot be the encoder"),
        ("timm/resnet10t.in1k", {"weights": "none"}, 64, "no weights 'in1k' for timm/resnet10t; timm has c3_in1k"),
        ("timm/resnet10t", {"unet": {"depth": 3}}, 64, "unet: depth and batch_norm are for the model unet"),
        ("resnet18", {"weights": "IMAGENET"}, 64, "weights: no weights 'IMAGENET' for resnet18"),
        (
            "resnet18",
            {"weights": "none", "unet": {"depth": 3}},
            64,
            "unet: depth and batch_norm are for the model unet",
        ),
        ("resnet18", {"weights": "none"}, 16, "resnet18 needs images of at least 32 pixels, but data.image_size is 16"),
    ],
)
def test_a_segmenter_that_cannot_be_built_is_one_line(name: str, spec: dict[str, Any], size: int, problem: str) -> None:
    (found,) = segmenter_problems(name, Backbone.model_validate(spec), size)
    assert found.startswith(problem)


def test_a_segmenter_that_can_be_built_has_no_problems() -> None:
    assert segmenter_problems("unet", Backbone.model_validate({"weights": "none", "unet": {"depth": 3}}), 72) == []
    assert segmenter_problems("mine", Backbone(weights="IMAGENET1K_V1", model="vgg16"), 64) == []
    assert segmenter_problems("resnet18", Backbone.model_validate({"weights": "none", "unet": {"base": 8}}), 64) == []
