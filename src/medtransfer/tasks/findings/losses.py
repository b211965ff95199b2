"""Training losses of findings: of scores against what each image is known to show.

To add one, register a function in `FINDING_LOSSES`. Its keyword-only parameters are its options.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from medtransfer.study import Loss
from medtransfer.study.section import Fraction, NotNegative
from medtransfer.training.losses import ImageLoss, LossFunction
from medtransfer.util.registry import Registry, with_options

FINDING_LOSSES: Registry[LossFunction] = Registry("loss")
"""Functions of logits and targets in [0, 1], float32 [n, findings, ...], that return the loss of each, of that shape.

weight: of each present and each absent finding, a pair of tensors that fit.
"""

Weight = tuple[torch.Tensor, torch.Tensor]


@FINDING_LOSSES.entry("binary_cross_entropy")
def binary_cross_entropy(logits: torch.Tensor, targets: torch.Tensor, *, weight: Weight | None = None) -> torch.Tensor:
    """Return the binary cross-entropy of each finding, in nats."""
    terms = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return terms if weight is None else terms * (targets * weight[0] + (1 - targets) * weight[1])


@FINDING_LOSSES.entry("focal")
def finding_focal(
    logits: torch.Tensor, targets: torch.Tensor, *, weight: Weight | None = None, gamma: NotNegative = 2.0
) -> torch.Tensor:
    """Return the focal loss of each finding (Lin et al. 2017): what is surely right counts less.

    gamma: the cross-entropy counts by (1 - probability of the truth) to this power.
    """
    missed = (targets - logits.sigmoid()).abs().clamp_min(torch.finfo(logits.dtype).tiny)
    return missed**gamma * binary_cross_entropy(logits, targets, weight=weight)


@FINDING_LOSSES.entry("asymmetric")
def asymmetric(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    gamma_present: NotNegative = 0.0,
    gamma_absent: NotNegative = 4.0,
    margin: Fraction = 0.05,
) -> torch.Tensor:
    """Return the asymmetric loss of each finding (Ridnik et al. 2021): absent ones, which are many, count less.

    gamma_present, gamma_absent: the powers of the focal loss for findings that are present and absent. margin: is
    subtracted from the probability of an absent finding, so that clear ones cost nothing.
    """
    tiny = torch.finfo(logits.dtype).tiny
    probability = logits.sigmoid()
    shifted = (probability - margin).clamp_min(0.0)
    present = functional.logsigmoid(logits) * (1 - probability).clamp_min(tiny) ** gamma_present
    absent = torch.log1p(-shifted) * shifted.clamp_min(tiny) ** gamma_absent
    return -(targets * present + (1 - targets) * absent)


class FindingLoss(ImageLoss):
    """A loss of `FINDING_LOSSES`, averaged over the findings of an image that are known."""

    def __init__(self, loss: Loss, values: np.ndarray) -> None:
        """Weigh by the frequencies in values, [training images, findings], nan where unknown, if the loss asks so."""
        findings = values.shape[1]
        super().__init__(findings, findings, balanced_weights(values) if loss.class_weights == "balanced" else None)
        self._function = with_options(FINDING_LOSSES[loss.kind], loss.model_dump())

    def each(self, logits: torch.Tensor, targets: torch.Tensor, constants: torch.Tensor | None) -> torch.Tensor:
        """Return the loss of each image; constants: the weights of present findings, then those of absent ones."""
        known = targets.isfinite()
        truth = torch.where(known, targets, 0.5)
        weight = {}
        if constants is not None:
            weight = {"weight": constants.chunk(2, dim=min(constants.ndim - 1, 1))}
        losses = torch.where(known, self._function(logits.float(), truth, **weight), 0.0)
        return losses.sum(dim=1) / known.sum(dim=1).clamp_min(1)


def balanced_weights(values: np.ndarray) -> torch.Tensor:
    """Return known / (2 x count) for each present and then each absent finding: both sides count the same.

    values: [images, findings], 1, 0 or nan.
    """
    present, absent = (values == 1).sum(axis=0), (values == 0).sum(axis=0)
    known = present + absent
    return torch.tensor(
        np.concatenate([known / (2 * np.maximum(side, 1)) for side in (present, absent)]), dtype=torch.float32
    )
