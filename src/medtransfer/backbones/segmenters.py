"""Networks that give a class for every pixel: the plain U-Net, and U-Nets on pretrained encoders."""

from __future__ import annotations

import torch
from torch import nn

from medtransfer.backbones.bare import SPECIAL_WEIGHTS, is_path, pretraining_problems, weights_enum
from medtransfer.backbones.torchvision_models import models
from medtransfer.backbones.unet import Contracting, Expanding
from medtransfer.errors import UserError
from medtransfer.study import Backbone, UNet, near

PLAIN = "unet"
LEAST_SIZE = 32
"""The deepest feature map of an encoder then has one pixel."""

DECODER_BLOCKS = 5
"""A block for each time that an encoder halves its maps."""


def segmenter_names() -> list[str]:
    """List every model that can be named: the plain U-Net, and the encoders whose torchvision weights fit."""
    import segmentation_models_pytorch as smp

    known = set(models.list_models(module=models))
    return [PLAIN, *sorted(known.intersection(smp.encoders.encoders))]


def build_segmenter(model: str, spec: Backbone, outputs: int, dropout: float) -> tuple[nn.Module, nn.Module]:
    """Build an encoder and a decoder with random weights.

    The encoder maps images [n, 3, h, w] to a list of feature maps, the decoder these to logits
    [n, outputs, h, w]. Dropout acts in every block of the plain U-Net, and before the last convolution of the
    others, which are those of segmentation-models-pytorch.
    """
    if model == PLAIN:
        shape = spec.unet
        encoder = Contracting(shape.base, shape.depth, shape.batch_norm, dropout)
        return encoder, Expanding(shape.base, shape.depth, shape.batch_norm, dropout, outputs)
    import segmentation_models_pytorch as smp

    widths = [spec.unet.base * 2**level for level in range(DECODER_BLOCKS)][::-1]
    built = smp.Unet(model, encoder_weights=None, decoder_channels=widths, classes=outputs)
    return built.encoder, nn.Sequential(built.decoder, nn.Dropout2d(dropout), built.segmentation_head)


def load_encoder(encoder: nn.Module, state: dict[str, torch.Tensor], where: str) -> None:
    """Load the weights of a classification model into the encoder made of it; its classifier's are left out."""
    own = encoder.state_dict()
    missing = sorted(name for name, tensor in own.items() if name not in state or state[name].shape != tensor.shape)
    if missing:
        raise UserError(f"{where}: does not fit the encoder: it misses {', '.join(missing[:3])}")
    encoder.load_state_dict({name: state[name] for name in own})


def segmenter_problems(name: str, spec: Backbone, image_size: int) -> list[str]:
    """List what makes a backbone of a segmentation study impossible; empty where it can be built."""
    model = spec.model or name
    if model not in (names := segmenter_names()):
        return [f"no segmentation model {model!r}{near(model, names)}"]
    if model == PLAIN:
        return _plain_problems(spec, image_size)
    problems = []
    if spec.unet != UNet(base=spec.unet.base):
        problems.append(f"unet: depth and batch_norm belong to the model unet, not to {model}; base is for both")
    if spec.weights not in SPECIAL_WEIGHTS and not is_path(spec.weights):
        try:
            weights_enum(model, spec.weights)
        except UserError as error:
            problems += [f"weights: {problem}" for problem in error.problems]
    if image_size < LEAST_SIZE:
        problems.append(f"{model} needs images of at least {LEAST_SIZE} pixels, but data.image_size is {image_size}")
    return problems + pretraining_problems(model, spec)


def _plain_problems(spec: Backbone, image_size: int) -> list[str]:
    problems = []
    if spec.weights != "none":
        problems.append(f"weights: {spec.weights}, but unet starts from random weights; use none")
    if image_size % 2**spec.unet.depth:
        problems.append(
            f"unet of depth {spec.unet.depth} needs a multiple of {2**spec.unet.depth} pixels, "
            f"but data.image_size is {image_size}"
        )
    return problems
