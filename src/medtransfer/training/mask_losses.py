"""Losses of the logits of every pixel against masks."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import medtransfer.backbones.torchvision_models  # noqa: F401  # before segmentation-models-pytorch, which imports it
from medtransfer.study import Loss
from medtransfer.training.losses import weights_of_classes

SMOOTHING = 1.0
"""Pixels that are added to both sides of the fraction in Dice and Tversky."""


class MaskLoss(nn.Module):
    """Cross-entropies, Dice and what is made of them, against class numbers uint8 [n, h, w].

    cross_entropy and binary_cross_entropy are means over pixels; the latter takes each class, background too, by
    itself. dice (Milletari et al. 2016) and tversky (Salehi et al. 2017) see the pixels of a batch as one image, and
    average over the classes but background that the batch has: a small lesion, or an image without one, then costs
    what it is worth. focal: Lin et al. 2017, each class by itself. dice_cross_entropy is the sum of both.
    Pixels of the cross-entropies are weighed by `weights_of_classes`.
    """

    weight: torch.Tensor | None

    def __init__(self, loss: Loss, class_pixels: np.ndarray) -> None:
        super().__init__()
        self._loss = loss
        self.register_buffer("weight", weights_of_classes(loss, class_pixels))
        self._of_regions = _region_loss(loss, len(class_pixels))

    def forward(self, logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        """Give the mean loss of logits [n, classes, h, w] against masks [n, h, w]."""
        logits, masks = logits.float(), masks.long()
        kind = self._loss.kind
        total = logits.new_zeros(())
        if kind in ("cross_entropy", "dice_cross_entropy"):
            smoothing = self._loss.label_smoothing
            total = total + functional.cross_entropy(logits, masks, weight=self.weight, label_smoothing=smoothing)
        if kind == "binary_cross_entropy":
            total = total + self._binary(logits, masks)
        if self._of_regions is not None:
            total = total + self._of_regions(logits, masks)
        return total

    def _binary(self, logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        classes, smoothing = logits.shape[1], self._loss.label_smoothing
        shares = functional.one_hot(masks, classes).movedim(-1, 1).to(logits.dtype)
        shares = shares * (1 - smoothing) + smoothing / classes
        weight = None if self.weight is None else self.weight.view(1, -1, 1, 1)
        return functional.binary_cross_entropy_with_logits(logits, shares, weight=weight)


def _region_loss(loss: Loss, classes: int) -> nn.Module | None:
    """Build the part of a loss that is no cross-entropy, with segmentation-models-pytorch."""
    if loss.kind in ("cross_entropy", "binary_cross_entropy"):
        return None
    from segmentation_models_pytorch.losses import DiceLoss, FocalLoss, TverskyLoss

    if loss.kind == "focal":
        return FocalLoss("multiclass", gamma=loss.gamma)
    foreground = {"classes": list(range(1, classes)), "smooth": SMOOTHING}
    if loss.kind == "tversky":
        return TverskyLoss("multiclass", alpha=loss.alpha, beta=loss.beta, **foreground)
    return DiceLoss("multiclass", **foreground)
