"""The head that a strategy asks for."""

from __future__ import annotations

import torch
from torch import nn

from medtransfer.models.heads.dense import linear_head, mlp_head
from medtransfer.models.heads.knn import NearestNeighbourHead
from medtransfer.models.heads.logistic import LogisticHead
from medtransfer.models.heads.prototypes import PrototypeHead
from medtransfer.study import Strategy


def build_head(strategy: Strategy, width: int, classes: int) -> nn.Module:
    """Build a head for features [n, `width`]; a backbone's own classifier is not built here."""
    dropout = strategy.dropout or 0.0
    if strategy.head == "linear":
        return linear_head(width, classes, dropout)
    if strategy.head == "mlp":
        return mlp_head(width, classes, strategy.hidden, dropout, strategy.head_batch_norm)
    if strategy.head == "prototypes":
        return PrototypeHead(width, classes)
    if strategy.head == "knn":
        return NearestNeighbourHead(width, classes, strategy.neighbours)
    if strategy.head == "logistic":
        return LogisticHead(width, classes)
    raise ValueError(f"expected a head that is built from features, but got {strategy.head!r}")


def fit_head(head: nn.Module, features: torch.Tensor, labels: torch.Tensor) -> None:
    """Fit a head that is computed in one step from features [n, width] and labels [n]."""
    if not isinstance(head, PrototypeHead | NearestNeighbourHead | LogisticHead):
        raise TypeError(f"expected a head that is fitted, but got {type(head).__name__}")
    head.fit(features, labels)
