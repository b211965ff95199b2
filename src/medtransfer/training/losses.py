"""Losses of class scores against labels that may be soft; Losses of the logits of every pixel against masks."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import medtransfer.models.torchvision_models  # noqa: F401  # before segmentation-models-pytorch, which imports it
from medtransfer.study import Loss


class SoftLabelLoss(nn.Module):
    """Cross-entropy, or binary cross-entropy for each class, against label shares [n, classes].

    Terms are weighed by `weights_of_classes`. Label smoothing mixes the label with the uniform one. The mean is over
    images, and for the binary loss over classes too.
    """

    weight: torch.Tensor | None

    def __init__(self, loss: Loss, class_counts: np.ndarray) -> None:
        super().__init__()
        self._loss = loss
        self.register_buffer("weight", weights_of_classes(loss, class_counts))

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Give the mean loss of logits [n, classes] against label shares [n, classes], in nats."""
        return soft_label_losses(self._loss, logits, labels, self.weight).mean()


def weights_of_classes(loss: Loss, counts: np.ndarray) -> torch.Tensor | None:
    """Give what each class counts: n / (classes x its count) where balanced, as in scikit-learn; None for all alike."""
    if loss.class_weights != "balanced":
        return None
    return torch.tensor(counts.sum() / (len(counts) * np.maximum(counts, 1)), dtype=torch.float32)


def soft_label_losses(
    loss: Loss, logits: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor | None, dim: int = -1
) -> torch.Tensor:
    """Give each image's loss, in nats, of logits and label shares whose classes lie along `dim`.

    weight: one a class, in a shape that fits beside the labels'.
    """
    labels = _smoothed(loss, labels, dim)
    if loss.kind == "cross_entropy":
        terms = labels * functional.log_softmax(logits.float(), dim=dim)
        return -(terms if weight is None else terms * weight).sum(dim=dim)
    labels = labels.expand_as(logits)
    terms = functional.binary_cross_entropy_with_logits(logits.float(), labels, weight, reduction="none")
    return terms.mean(dim=dim)


def soft_label_slopes(
    loss: Loss, logits: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor | None, dim: int = -1
) -> torch.Tensor:
    """Give the derivative of each image's loss, as `soft_label_losses` has it, by its logits.

    What autograd would give, in a third of the time where the tensors are small.
    """
    labels = _smoothed(loss, labels, dim)
    if loss.kind == "cross_entropy":
        wanted = labels if weight is None else labels * weight
        return (functional.softmax(logits.float(), dim=dim) * wanted.sum(dim=dim, keepdim=True)).sub_(wanted)
    slopes = logits.float().sigmoid().sub_(labels).div_(logits.shape[dim])
    return slopes if weight is None else slopes.mul_(weight)


def _smoothed(loss: Loss, labels: torch.Tensor, dim: int) -> torch.Tensor:
    if not loss.label_smoothing:
        return labels
    return labels * (1 - loss.label_smoothing) + loss.label_smoothing / labels.shape[dim]


def probabilities(logits: torch.Tensor, loss: Loss) -> torch.Tensor:
    """Turn logits into class probabilities: softmax, or, after the binary loss, sigmoids scaled to sum 1."""
    if loss.kind == "cross_entropy":
        return logits.float().softmax(dim=1)
    scores = logits.double().sigmoid()
    return (scores / scores.sum(dim=1, keepdim=True)).float()


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
