"""The U-Net of Ronneberger et al. 2015, with padded convolutions: an encoder, a decoder, and skips between them; Networks that give a class for every pixel: the plain U-Net, and U-Nets on pretrained encoders."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from medtransfer.models.backbones import SPECIAL_WEIGHTS, is_path, pretraining_problems, weights_enum
from medtransfer.models.torchvision_models import models
from medtransfer.study import Backbone, UNet
from medtransfer.util.errors import UserError, near


class Contracting(nn.Module):
    """The encoder: two 3x3 convolutions at each of `depth` + 1 resolutions, 2x2 max pooling between them.

    The first has `base` channels, each further one twice as many. Images [n, 3, h, w], h and w multiples of
    2 ** depth, become a list of feature maps, the finest first.
    """

    def __init__(self, base: int, depth: int, batch_norm: bool, dropout: float) -> None:
        super().__init__()
        widths = [base * 2**level for level in range(depth + 1)]
        self.blocks = nn.ModuleList(
            double_convolution(inputs, outputs, batch_norm, dropout)
            for inputs, outputs in zip([3, *widths[:-1]], widths, strict=True)
        )
        self.pool = nn.MaxPool2d(2)
        _initialise(self)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Map images to feature maps [n, base * 2 ** level, h / 2 ** level, w / 2 ** level]."""
        maps = [self.blocks[0](images)]
        for block in self.blocks[1:]:
            maps.append(block(self.pool(maps[-1])))
        return maps


class Expanding(nn.Module):
    """The decoder: 2x2 transposed convolutions, each joined with the encoder's map, and a last 1x1 convolution."""

    def __init__(self, base: int, depth: int, batch_norm: bool, dropout: float, outputs: int) -> None:
        super().__init__()
        widths = [base * 2**level for level in range(depth)][::-1]
        self.rises = nn.ModuleList(nn.ConvTranspose2d(2 * width, width, 2, stride=2) for width in widths)
        self.blocks = nn.ModuleList(double_convolution(2 * width, width, batch_norm, dropout) for width in widths)
        self.last = nn.Conv2d(base, outputs, 1)
        _initialise(self)

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Map the encoder's feature maps to logits [n, outputs, h, w]."""
        rising = maps[-1]
        for rise, block, skip in zip(self.rises, self.blocks, reversed(maps[:-1]), strict=True):
            rising = block(torch.cat([skip, rise(rising)], dim=1))
        return self.last(rising)


def double_convolution(inputs: int, outputs: int, batch_norm: bool, dropout: float) -> nn.Sequential:
    """Build two 3x3 convolutions with ReLU, perhaps batch norm before it, and dropout between the two."""

    def convolution(width: int) -> list[nn.Module]:
        norm: list[nn.Module] = [nn.BatchNorm2d(outputs)] if batch_norm else []
        return [nn.Conv2d(width, outputs, 3, padding=1, bias=not batch_norm), *norm, nn.ReLU(inplace=True)]

    between: list[nn.Module] = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*convolution(inputs), *between, *convolution(outputs))


def _initialise(module: nn.Module) -> None:
    """Draw the weights as He et al. 2015 do for ReLU; biases begin at 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


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
