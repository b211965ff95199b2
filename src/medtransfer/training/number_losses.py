"""Training losses of predicted numbers.

To add one, register a function in `NUMBER_LOSSES`. Its keyword-only parameters are its options, set in the `loss`
section of a strategy.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from medtransfer.study import Loss
from medtransfer.study.section import Positive
from medtransfer.training.losses import ImageLoss, LossFunction
from medtransfer.util.registry import Registry, with_options

NUMBER_LOSSES: Registry[LossFunction] = Registry("loss")
"""Functions of outputs [n, width, ...], float32, and standardised numbers [n, 1, ...] that return each image's loss,
[n, ...]. Dimensions after the second are more images."""

DEVIATING = ("gaussian",)
"""Losses whose networks have a second output: the logarithm of the deviation that they predict."""

WIDEST = 7.0
"""The logarithm of a predicted standardised deviation counts as at most this, and at least its negative."""


@NUMBER_LOSSES.entry("l1")
def absolute_error(outputs: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """Return the absolute error, whose minimum is the median."""
    return (outputs[:, 0] - numbers[:, 0]).abs()


@NUMBER_LOSSES.entry("l2")
def squared_error(outputs: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """Return the squared error, whose minimum is the mean."""
    return (outputs[:, 0] - numbers[:, 0]) ** 2


@NUMBER_LOSSES.entry("huber")
def huber(outputs: torch.Tensor, numbers: torch.Tensor, *, delta: Positive = 1.0) -> torch.Tensor:
    """Return Huber's loss (1964): squared up to an error of `delta` standard deviations of the numbers, then linear."""
    return functional.huber_loss(outputs[:, 0], numbers[:, 0], reduction="none", delta=delta)


@NUMBER_LOSSES.entry("gaussian")
def gaussian(outputs: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """Return the negative log likelihood of a normal distribution that the network predicts (Nix and Weigend 1994).

    It is in nats, up to a constant. The second output is the logarithm of the standard deviation.
    """
    log_deviation = outputs[:, 1].clamp(-WIDEST, WIDEST)
    return log_deviation + ((outputs[:, 0] - numbers[:, 0]) * torch.exp(-log_deviation)) ** 2 / 2


def scale_of(constants: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean and the deviation of numbers that train, of a loss's constants [2] or of several's [n, 2, 1]."""
    mean, deviation = constants if constants.ndim == 1 else constants.split(1, dim=1)
    return mean, deviation


class NumberLoss(ImageLoss):
    """A loss of `NUMBER_LOSSES` against numbers, standardised by the mean and deviation of those that train."""

    constants: torch.Tensor

    def __init__(self, loss: Loss, numbers: np.ndarray) -> None:
        scale = [numbers.mean(dtype=np.float64), numbers.std(dtype=np.float64) or 1.0]
        super().__init__(width_of(1, loss), 1, torch.tensor(scale, dtype=torch.float32))
        self._function = with_options(NUMBER_LOSSES[loss.kind], loss.model_dump())

    def each(self, logits: torch.Tensor, targets: torch.Tensor, constants: torch.Tensor | None) -> torch.Tensor:
        """Return the loss of each image against its number; constants are its mean and deviation."""
        assert constants is not None
        mean, deviation = scale_of(constants)
        return self._function(logits.float(), (targets - mean) / deviation)


def width_of(outputs: int, loss: Loss) -> int:
    """Return the number of a network's outputs for that many predicted numbers."""
    return 2 * outputs if loss.kind in DEVIATING else outputs
