"""One dense layer, and one whose outputs share their weights."""

from __future__ import annotations

import torch
from torch import nn

from medtransfer.models.heads import HEADS, Head


@HEADS.entry("linear")
class LinearHead(Head, nn.Sequential):
    """Dropout and one dense layer: a linear probe, or multinomial logistic regression."""

    def __init__(self, width: int, classes: int, *, dropout: float = 0.0) -> None:
        super().__init__(nn.Dropout(dropout), nn.Linear(width, classes))


class SharedSteps(nn.Module):
    """Map features [n, width] to the logits [n, steps] of being above each grade: one score, plus a bias for each step.

    Cao, Mirjalili and Raschka 2020, "Rank consistent ordinal regression for neural networks". The biases begin in
    descending order from 1, as in the authors' code.
    """

    def __init__(self, width: int, steps: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)
        self.bias = nn.Parameter(torch.arange(steps, 0, -1) / steps)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the logits [n, steps]."""
        return self.score(features) + self.bias
