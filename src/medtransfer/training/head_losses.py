"""Losses and scores of heads that train side by side, some of which share their images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from medtransfer.study import Loss
from medtransfer.training.head_batches import HeadBatches

MOST_LOGITS = 4_000_000
"""So many wait for their losses at most: one call for many steps costs little more than for one."""


class HeadLosses:
    """One kind of loss for all runs; weights of classes, where there are any, are each run's own.

    In the methods logits are [m, classes, n] of the m `runs`, and labels [s, n, classes]: m / s runs in a row share
    theirs.
    """

    def __init__(self, loss: Loss, weights: Sequence[torch.Tensor]) -> None:
        self._loss = loss
        self._weights = torch.stack(list(weights))[:, :, None] if weights else None

    def keep(self, runs: list[int]) -> None:
        """Let go of all runs but these."""
        self._weights = None if self._weights is None else self._weights[runs]

    def losses_and_scores(
        self, logits: torch.Tensor, labels: torch.Tensor, runs: slice
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Give each image's loss, and whether its class was found, [m, n]."""
        each, wanted, weight = self._side_by_side(logits, labels, runs)
        losses = soft_label_losses(self._loss, each, wanted, weight, dim=2)
        right = each.max(dim=2).indices == labels.max(dim=2).indices[:, None]
        return losses.flatten(0, 1), right.flatten(0, 1).float()

    def slopes(self, logits: torch.Tensor, labels: torch.Tensor, runs: slice) -> torch.Tensor:
        """Give the derivatives of each image's loss by its logits, [m, classes, n]."""
        each, wanted, weight = self._side_by_side(logits, labels, runs)
        return soft_label_slopes(self._loss, each, wanted, weight, dim=2).flatten(0, 1)

    def _side_by_side(
        self, logits: torch.Tensor, labels: torch.Tensor, runs: slice
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Give logits [s, m / s, classes, n], labels [s, 1, classes, n] and weights [s, m / s, classes, 1]."""
        shares = len(labels)
        weight = None if self._weights is None else self._weights[runs].unflatten(0, (shares, -1))
        return logits.unflatten(0, (shares, -1)), labels.transpose(1, 2)[:, None], weight


class Totals:
    """Sums of what the steps of an epoch cost and scored, found for many steps together."""

    def __init__(self, losses: HeadLosses) -> None:
        self._losses = losses
        self._waiting: list[tuple[torch.Tensor, HeadBatches]] = []
        self._found: list[torch.Tensor] = []

    def add(self, logits: torch.Tensor, batches: HeadBatches) -> None:
        """Take up a step's logits, [m, classes, n] of the first m runs."""
        if self._waiting and (
            len(logits) != len(self._waiting[0][0]) or len(self._waiting) * logits.numel() > MOST_LOGITS
        ):
            self._find()
        self._waiting.append((logits, batches))

    def of(self, runs: int) -> torch.Tensor:
        """Give each run's sum of losses and of scores over all steps, float64 [2, runs], on the CPU."""
        self._find()
        totals = torch.zeros(2, runs, dtype=torch.float64)
        for sums in self._found:  # a graphics card has by now been given all steps: fetching a sum waits for it
            totals[:, : sums.shape[1]] += sums.cpu()
        return totals

    def _find(self) -> None:
        logits = torch.cat([each for each, _ in self._waiting], dim=2)
        labels = torch.cat([batches.labels for _, batches in self._waiting], dim=1)
        values = torch.stack(self._losses.losses_and_scores(logits, labels, slice(len(logits))))
        if not all(batches.is_full for _, batches in self._waiting):
            own = torch.cat([batches.own for _, batches in self._waiting], dim=1)
            values *= own.repeat_interleave(len(logits) // len(own), dim=0)
        self._found.append(values.sum(dim=2))
        self._waiting.clear()


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
