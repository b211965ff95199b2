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
"""Losses whose networks have a second output, from which the deviation is computed."""

LEAST_DEVIATION = 1e-3


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
    """Return half the squared error, plus the negative log likelihood of a normal deviation of that error.

    The deviation does not weight the error, as in Stirn et al. 2023, "Faithful Heteroscedastic Regression with Neural
    Networks": in the plain likelihood (Nix and Weigend 1994) a large deviation keeps the mean from being learned.
    """
    error, deviation = outputs[:, 0] - numbers[:, 0], deviation_of(outputs[:, 1])
    return error**2 / 2 + deviation.log() + (error.detach() / deviation) ** 2 / 2


def deviation_of(output: torch.Tensor) -> torch.Tensor:
    """Return the predicted deviation, in standard deviations of the numbers that train, of a network's second output.

    The softplus (Lakshminarayanan et al. 2017, "Simple and Scalable Predictive Uncertainty Estimation") has a gradient
    everywhere, so that a deviation that became too large or too small returns.
    """
    return functional.softplus(output) + LEAST_DEVIATION


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
