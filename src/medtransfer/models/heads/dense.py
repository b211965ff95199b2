"""Heads that train by gradient descent: one dense layer, or two."""

from __future__ import annotations

from torch import nn


def linear_head(width: int, classes: int, dropout: float) -> nn.Sequential:
    """Build dropout and one dense layer: a linear probe, or multinomial logistic regression."""
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(width, classes))


def mlp_head(width: int, classes: int, hidden: int, dropout: float, batch_norm: bool) -> nn.Sequential:
    """Build one hidden layer of `hidden` units with ReLU, perhaps batch norm before it, dropout after it."""
    norm: nn.Module = nn.BatchNorm1d(hidden) if batch_norm else nn.Identity()
    return nn.Sequential(nn.Linear(width, hidden), norm, nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, classes))
