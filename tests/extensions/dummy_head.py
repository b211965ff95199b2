"""A head from outside: cosine similarity to one learned direction per class, with an option of its own."""

import torch
from torch import nn
from torch.nn import functional

from medtransfer.models.heads import HEADS, Head


class CosineHead(Head):
    def __init__(self, width: int, classes: int, *, temperature: float = 0.1) -> None:
        super().__init__()
        self.directions, self.temperature = nn.Linear(width, classes, bias=False), temperature

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        directions = functional.normalize(self.directions.weight, dim=1)
        return functional.normalize(features, dim=1) @ directions.T / self.temperature


HEADS.register("cosine", CosineHead)
