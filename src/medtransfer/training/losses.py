"""Losses of class scores against labels that may be soft."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

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
