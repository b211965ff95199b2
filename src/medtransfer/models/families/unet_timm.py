"""U-Nets of segmentation-models-pytorch on the models of timm, as `timm/NAME`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from medtransfer.models.families import FAMILIES, SegmenterFamily
from medtransfer.models.families.timm import Timm, tag_problems
from medtransfer.models.families.unet_encoders import build_unet
from medtransfer.study import Backbone, UNet


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


FAMILIES.register("unet_timm", TimmEncoders())
