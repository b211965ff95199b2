"""Attentive pooling."""

from __future__ import annotations

import torch
from torch import nn

from medtransfer.models.heads import HEADS, Head

HEAD_WIDTH = 64
"""The width of an attention head in the usual transformers."""


@HEADS.entry("attention")
class AttentionHead(Head):
    """A learned query that attends to all tokens of an image, and one dense layer on what it found.

    The attentive probe of CAE (Chen et al. 2022, "Context Autoencoder for Self-Supervised Representation Learning")
    and V-JEPA (Bardes et al. 2024), without the latter's further MLP. The tokens of a convolutional network are the
    places of its last map. It has as many attention heads of at least 64 features as divide the width.
    """

    takes_tokens = True

    def __init__(self, width: int, classes: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        heads = next(count for count in range(max(width // HEAD_WIDTH, 1), 0, -1) if width % count == 0)
        self.query = nn.Parameter(torch.empty(1, 1, width))
        nn.init.trunc_normal_(self.query, std=0.02)
        self.norm, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.dropout, self.dense = nn.Dropout(dropout), nn.Linear(width, classes)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map tokens [n, tokens, width] to logits [n, classes]."""
        tokens, query = self.norm(features), self.query.repeat(len(features), 1, 1)
        found, _ = self.attention(query, tokens, tokens, need_weights=False)
        return self.dense(self.dropout(self.after(query + found)[:, 0]))
