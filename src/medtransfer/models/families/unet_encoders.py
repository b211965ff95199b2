"""U-Nets of segmentation-models-pytorch on the classification models of torchvision, and of timm as `timm/NAME`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from medtransfer.models.families import FAMILIES, ClassifierFamily, SegmenterFamily
from medtransfer.models.families.timm import Timm, tag_problems
from medtransfer.models.torchvision_models import library, models
from medtransfer.study import Backbone, UNet

LEAST_SIZE = 32
"""At this image size the deepest feature map of an encoder has one pixel."""

DECODER_BLOCKS = 5
"""One block for each time that an encoder halves its maps."""


class UNetEncoders(SegmenterFamily):
    """Encoders that take torchvision's weights; dropout acts before the last convolution."""

    def names(self) -> list[str]:
        """List the encoders whose torchvision weights fit."""
        encoders = library("segmentation_models_pytorch.encoders").encoders
        return sorted(set(models().list_models(module=models())).intersection(encoders))

    def build(self, model: str, spec: Backbone, outputs: int, dropout: float) -> tuple[nn.Module, nn.Module]:
        """See `SegmenterFamily`; `spec.unet.base` is the number of channels of the decoder's last block."""
        return build_unet(model, spec, outputs, dropout)

    def problems(self, model: str, spec: Backbone, image_size: int) -> list[str]:
        """See `Family`."""
        problems = ClassifierFamily.of(model).weights_problems(model, spec)
        if spec.unet != UNet(base=spec.unet.base):
            problems.append(f"unet: depth and batch_norm are for the model unet only; {model} takes base")
        if image_size < LEAST_SIZE:
            problems.append(
                f"{model} needs images of at least {LEAST_SIZE} pixels, but data.image_size is {image_size}"
            )
        return problems


def build_unet(encoder: str, spec: Backbone, outputs: int, dropout: float) -> tuple[nn.Module, nn.Module]:
    """Build an encoder by its name in segmentation-models-pytorch, with random weights, and its decoder."""
    widths = [spec.unet.base * 2**level for level in range(DECODER_BLOCKS)][::-1]
    unet = library("segmentation_models_pytorch").Unet
    built = unet(encoder, encoder_weights=None, decoder_channels=widths, classes=outputs)
    return built.encoder, nn.Sequential(built.decoder, nn.Dropout2d(dropout), built.segmentation_head)


class TimmEncoders(SegmenterFamily):
    """Encoders whose maps halve from stage to stage, at any image size; with the weights of `Timm`.

    Transformers of equal patches, such as ViTs, have no such maps.
    """

    _timm = Timm()

    def names(self) -> Sequence[str]:
        """List timm's models; `problems` tries those that are chosen, since timm does not say which ones fit."""
        return self._timm.names()

    def has(self, model: str) -> bool:
        """Return whether timm has the architecture, whatever the tag."""
        return self._timm.has(model)

    def build(self, model: str, spec: Backbone, outputs: int, dropout: float) -> tuple[nn.Module, nn.Module]:
        """See `SegmenterFamily`; `spec.unet.base` is the number of channels of the decoder's last block."""
        architecture = model.removeprefix("timm/").partition(".")[0]
        return build_unet(f"tu-{architecture}", spec, outputs, dropout)

    def problems(self, model: str, spec: Backbone, image_size: int) -> list[str]:
        """Try the model as an encoder, on one image without values."""
        problems = tag_problems(model) or self._timm.weights_problems(model, spec)
        if spec.unet != UNet(base=spec.unet.base):
            problems.append(f"unet: depth and batch_norm are for the model unet only; {model} takes base")
        if problems:
            return problems
        try:
            with torch.device("meta"):
                encoder, decoder = self.build(model, spec, 1, 0.0)
                found = decoder.eval()(encoder.eval()(torch.zeros(1, 3, image_size, image_size))).shape[2:]
        except Exception as error:  # noqa: BLE001 - each architecture refuses in its own way
            reason = " ".join(str(error).split())[:160]
            return [f"{model} cannot be the encoder of a U-Net for data.image_size {image_size}: {reason}"]
        if found != (image_size, image_size):
            return [f"{model} as an encoder turns data.image_size {image_size} into masks of {found[0]} pixels"]
        return []


FAMILIES.register("unet_encoders", UNetEncoders())
FAMILIES.register("unet_timm", TimmEncoders())
