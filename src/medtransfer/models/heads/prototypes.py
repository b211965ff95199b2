"""Nearest class mean."""

from __future__ import annotations

import torch
from torch.nn import functional

from medtransfer.models.heads import HEADS, Head

SCALE = 10.0
"""The factor from squared distances between unit vectors to logits."""

FARTHEST = 4.0
"""The largest squared distance between unit vectors, used for a class without examples."""


@HEADS.entry("prototypes")
class PrototypeHead(Head):
    """Classify by the nearest prototype, the mean of a class's features.

    Snell, Swersky and Zemel 2017, "Prototypical Networks for Few-shot Learning". Features are centred on the
    training mean and scaled to length 1 first: Wang et al. 2019, "SimpleShot".
    """

    fitted = True
    centre: torch.Tensor
    prototypes: torch.Tensor

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("prototypes", torch.zeros(classes, width))

    def fit(self, features: torch.Tensor, labels: torch.Tensor) -> None:
        """Set the prototypes from features [n, width] and labels [n]."""
        self.centre = features.mean(dim=0)
        unit = self._unit(features)
        classes = range(len(self.prototypes))
        self.prototypes = torch.stack([unit[labels == label].mean(dim=0) for label in classes])

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits [n, classes]: the negative scaled squared distance to each prototype."""
        distances = (self._unit(features)[:, None] - self.prototypes).square().sum(dim=2)
        return -SCALE * torch.nan_to_num(distances, nan=FARTHEST)

    def _unit(self, features: torch.Tensor) -> torch.Tensor:
        return functional.normalize(features - self.centre, dim=1)
