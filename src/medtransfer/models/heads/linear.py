"""One dense layer."""

from __future__ import annotations

from torch import nn

from medtransfer.models.heads import HEADS, Head


@HEADS.entry("linear")
class LinearHead(Head, nn.Sequential):
    """Dropout and one dense layer: a linear probe, or multinomial logistic regression."""

    def __init__(self, width: int, classes: int, *, dropout: float = 0.0) -> None:
        super().__init__(nn.Dropout(dropout), nn.Linear(width, classes))
