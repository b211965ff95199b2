"""The interface between the trainer and a task; nothing else in training asks which task it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import nn

from medtransfer.data.prepared import Prepared
from medtransfer.models.assemble import Weights
from medtransfer.models.network import Network, Normalise
from medtransfer.study import Loss, Variant
from medtransfer.util.seeds import Key


class Objective(Protocol):
    """What the trainer asks of a task.

    score: the name of what histories tell beside the loss. flat_features: whether a frozen body gives one short row of
    features an image, which is worth keeping.
    """

    score: str
    flat_features: bool

    def outputs(self, prepared: Prepared) -> list[str]:
        """Name what the network's outputs stand for, in their order."""

    def assemble(
        self,
        variant: Variant,
        weights: Weights,
        outputs: int,
        image_size: int,
        normalise: Normalise,
        key: tuple[Key, ...],
    ) -> Network:
        """Build a variant's network, frozen as its strategy says; everything random is drawn from `key`."""

    def loss(self, loss: Loss, prepared: Prepared, rows: np.ndarray) -> nn.Module:
        """Build the loss of (logits, targets) as a mean over images; `rows` are those that train."""

    def scores(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Give the score of each image of a batch, float32 [n], in [0, 1]."""

    def answers(self, logits: torch.Tensor, loss: Loss) -> np.ndarray:
        """Give what a network says of a batch: probabilities [n, classes], or class numbers of pixels [n, h, w]."""

    def probabilities(self, logits: torch.Tensor, loss: Loss) -> torch.Tensor:
        """Give the probabilities of the outputs, float32, of the shape of the logits, summing to 1 over dimension 1."""

    def joint_answers(self, logits: Sequence[torch.Tensor], loss: Loss) -> np.ndarray:
        """Give what several networks say of a batch by the mean of their probabilities; of one, its own answers."""
