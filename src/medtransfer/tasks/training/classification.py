"""A class for every image: any backbone with a head of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from medtransfer.data.prepared import Prepared
from medtransfer.models.assemble import Weights, assemble
from medtransfer.models.network import Network, Normalise
from medtransfer.study import Loss, Variant
from medtransfer.training.losses import SoftLabelLoss, probabilities
from medtransfer.util.seeds import Key


class Classification:
    """See `Task`. The score of an image is whether its class was found: the largest share, for a mixed view."""

    score = "accuracy"
    flat_features = True

    def outputs(self, prepared: Prepared) -> list[str]:
        """Name the classes."""
        return prepared.classes

    def assemble(
        self,
        variant: Variant,
        weights: Weights,
        outputs: int,
        image_size: int,
        normalise: Normalise,
        key: tuple[Key, ...],
    ) -> Network:
        """Build a backbone with a new head."""
        return assemble(variant, weights, outputs, image_size, normalise, key)

    def loss(self, loss: Loss, prepared: Prepared, rows: np.ndarray) -> nn.Module:
        """Build the loss against label shares; classes are weighed by their counts among `rows`."""
        labels = prepared.table["label_index"].to_numpy()[rows]
        return SoftLabelLoss(loss, np.bincount(labels, minlength=len(prepared.classes)))

    def scores(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Say of each image, 0 or 1, whether its most probable class is its label."""
        return (logits.argmax(dim=1) == targets.argmax(dim=1)).float()

    def answers(self, logits: torch.Tensor, loss: Loss) -> np.ndarray:
        """Give class probabilities, float32 [n, classes]."""
        return probabilities(logits, loss).numpy()

    def probabilities(self, logits: torch.Tensor, loss: Loss) -> torch.Tensor:
        """Give class probabilities [n, classes]; see `losses.probabilities`."""
        return probabilities(logits, loss)

    def joint_answers(self, logits: Sequence[torch.Tensor], loss: Loss) -> np.ndarray:
        """Give the mean of the class probabilities, summed in float64, as float32 [n, classes]."""
        each = np.stack([self.answers(found, loss) for found in logits])
        return each.astype(np.float64).mean(axis=0).astype(np.float32)
