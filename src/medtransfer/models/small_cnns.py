"""Two small convolutional networks without pretrained weights, to be compared against."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class PlainCNN(nn.Module):
    """3x3 convolutions, each followed by ReLU and 2x2 max pooling; then global pooling and two dense layers."""

    def __init__(self, filters: Sequence[int], dense: int, num_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip((3, *filters[:-1]), filters, strict=True):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(filters[-1], dense), nn.ReLU(inplace=True), nn.Linear(dense, num_classes)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images [n, 3, height, width] to [n, num_classes]."""
        return self.classifier(torch.flatten(self.avgpool(self.features(images)), 1))


def cnn_small(num_classes: int) -> PlainCNN:
    """Build the small baseline: 32 to 64 filters."""
    return PlainCNN((32, 64, 64), 64, num_classes)


def cnn_large(num_classes: int) -> PlainCNN:
    """Build the large baseline: 64 to 1024 filters, one layer more."""
    return PlainCNN((64, 256, 512, 1024), 256, num_classes)


BASELINES = {"cnn_small": cnn_small, "cnn_large": cnn_large}
LEAST_SIZE = 16
