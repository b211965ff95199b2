"""The U-Net of Ronneberger et al. 2015, with padded convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from medtransfer.models.families import FAMILIES, SegmenterFamily
from medtransfer.study import Backbone


class UNetEncoder(nn.Module):
    """Two 3x3 convolutions at each of `depth` + 1 resolutions, with 2x2 max pooling between them.

    The first resolution has `base` channels, each further one twice as many. Images [n, 3, h, w], h and w multiples
    of 2 ** depth, become a list of feature maps, the finest first.
    """

    def __init__(self, base: int, depth: int, batch_norm: bool, dropout: float) -> None:
        super().__init__()
        widths = [base * 2**level for level in range(depth + 1)]
        self.blocks = nn.ModuleList(
            _double_convolution(inputs, outputs, batch_norm, dropout)
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


class UNetDecoder(nn.Module):
    """2x2 transposed convolutions, each joined with the encoder's map, and a last 1x1 convolution."""

    def __init__(self, base: int, depth: int, batch_norm: bool, dropout: float, outputs: int) -> None:
        super().__init__()
        widths = [base * 2**level for level in range(depth)][::-1]
        self.rises = nn.ModuleList(nn.ConvTranspose2d(2 * width, width, 2, stride=2) for width in widths)
        self.blocks = nn.ModuleList(_double_convolution(2 * width, width, batch_norm, dropout) for width in widths)
        self.last = nn.Conv2d(base, outputs, 1)
        _initialise(self)

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Map the encoder's feature maps to logits [n, outputs, h, w]."""
        rising = maps[-1]
        for rise, block, skip in zip(self.rises, self.blocks, reversed(maps[:-1]), strict=True):
            rising = block(torch.cat([skip, rise(rising)], dim=1))
        return self.last(rising)


def _double_convolution(inputs: int, outputs: int, batch_norm: bool, dropout: float) -> nn.Sequential:
    """Build two 3x3 convolutions with ReLU, optional batch norm before it, and dropout between the two."""

    def convolution(width: int) -> list[nn.Module]:
        norm: list[nn.Module] = [nn.BatchNorm2d(outputs)] if batch_norm else []
        return [nn.Conv2d(width, outputs, 3, padding=1, bias=not batch_norm), *norm, nn.ReLU(inplace=True)]

    between: list[nn.Module] = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*convolution(inputs), *between, *convolution(outputs))


def _initialise(module: nn.Module) -> None:
    """Draw weights as in He et al. 2015 for ReLU; set biases to 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class PlainUNet(SegmenterFamily):
    """The U-Net without pretrained weights; dropout acts in every block."""

    def names(self) -> list[str]:
        """List the one model."""
        return ["unet"]

    def build(self, model: str, spec: Backbone, outputs: int, dropout: float) -> tuple[nn.Module, nn.Module]:
        """See `SegmenterFamily`."""
        shape = spec.unet
        encoder = UNetEncoder(shape.base, shape.depth, shape.batch_norm, dropout)
        return encoder, UNetDecoder(shape.base, shape.depth, shape.batch_norm, dropout, outputs)

    def problems(self, model: str, spec: Backbone, image_size: int) -> list[str]:
        """See `Family`."""
        problems, multiple = [], 2**spec.unet.depth
        if spec.weights != "none":
            problems.append(f"weights: {spec.weights}, but unet starts from random weights; use none")
        if image_size % multiple:
            problems.append(
                f"unet of depth {spec.unet.depth} needs a multiple of {multiple} pixels, "
                f"but data.image_size is {image_size}"
            )
        return problems


FAMILIES.register("unet", PlainUNet())
