"""One hidden layer."""

from __future__ import annotations

from torch import nn

from medtransfer.models.heads import HEADS, Head


@HEADS.entry("mlp")
class MLPHead(Head, nn.Sequential):
    """One hidden layer with ReLU, optional batch norm before it and dropout after it."""

    def __init__(
        self, width: int, classes: int, *, hidden: int = 256, dropout: float = 0.0, head_batch_norm: bool = False
    ) -> None:
        norm: nn.Module = nn.BatchNorm1d(hidden) if head_batch_norm else nn.Identity()
        super().__init__(nn.Linear(width, hidden), norm, nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, classes))
