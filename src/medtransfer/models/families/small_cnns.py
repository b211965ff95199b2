"""Two small convolutional networks without pretrained weights, as baselines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn

from medtransfer.models.families import FAMILIES, IMAGENET_CLASSES, ClassifierFamily
from medtransfer.models.tokens import Places

FILTERS = {"cnn_small": ((32, 64, 64), 64), "cnn_large": ((64, 256, 512, 1024), 256)}
"""The filters of each convolution, and the width of the hidden dense layer."""


class PlainCNN(nn.Module):
    """3x3 convolutions, each followed by ReLU and 2x2 max pooling; then global pooling and two dense layers."""

    def __init__(self, filters: Sequence[int], dense: int, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((3, *filters[:-1]), filters, strict=True):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Linear(filters[-1], dense), nn.ReLU(inplace=True), nn.Linear(dense, outputs))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images [n, 3, height, width] to logits [n, outputs]."""
        return self.classifier(torch.flatten(self.avgpool(self.features(images)), 1))


class SmallCNNs(ClassifierFamily):
    """See `PlainCNN`."""

    def names(self) -> list[str]:
        """List both."""
        return list(FILTERS)

    def build(self, model: str, image_size: int, outputs: int = IMAGENET_CLASSES) -> nn.Module:
        """Build one for images of any size."""
        return PlainCNN(*FILTERS[model], outputs)

    def remove_classifier(self, module: nn.Module, keep_spatial: bool) -> list[nn.Module]:
        """Remove the two dense layers; features are averaged over space in any case."""
        network = cast(PlainCNN, module)
        layers, network.classifier = list(network.classifier), nn.Sequential()
        return layers

    def with_tokens(self, module: nn.Module, model: str) -> nn.Module:
        """See `ClassifierFamily`."""
        return Places({"features": cast(PlainCNN, module).features})

    def image_sizes(self, model: str) -> tuple[int, int]:
        """Return the size whose last feature map has one pixel in the deeper network."""
        return 16, 1


FAMILIES.register("small_cnns", SmallCNNs())
