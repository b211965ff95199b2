"""The learning rate as a pure function of what has happened, so that a resumed run needs no state for it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from medtransfer.study import Schedule

PLATEAU_THRESHOLD = 1e-4


def rate_factor(schedule: Schedule, epoch: int, epochs: int, validation_losses: Sequence[float]) -> float:
    """Give what the full learning rate is multiplied with in `epoch` (from 0) of `epochs`.

    `validation_losses` are those of the epochs before. The warm-up rises linearly to 1 over its epochs; the
    schedule's own clock starts after it. step: times `factor` every `every` epochs. exponential: times
    `factor` every epoch. plateau: times `factor` after more than `patience` epochs without a validation
    loss lower by a relative 1e-4 (as torch's ReduceLROnPlateau). cosine: half a period down to 0
    (Loshchilov and Hutter 2017, without restarts).
    """
    if epoch < schedule.warmup:
        return (epoch + 1) / schedule.warmup
    since = epoch - schedule.warmup
    if schedule.kind == "step":
        return float(schedule.factor ** (since // schedule.every))
    if schedule.kind == "exponential":
        return float(schedule.factor**since)
    if schedule.kind == "cosine":
        return 0.5 * (1 + math.cos(math.pi * since / max(epochs - schedule.warmup, 1)))
    if schedule.kind == "plateau":
        return float(schedule.factor ** _plateaus(schedule, validation_losses[schedule.warmup : epoch]))
    return 1.0


def _plateaus(schedule: Schedule, losses: Sequence[float]) -> int:
    best, waited, plateaus = math.inf, 0, 0
    for loss in losses:
        if loss < best * (1 - PLATEAU_THRESHOLD):
            best, waited = loss, 0
        else:
            waited += 1
        if waited > schedule.patience:
            plateaus, waited = plateaus + 1, 0
    return plateaus
