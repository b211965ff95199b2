"""The learning rate as a pure function of what has happened, so that a resumed run needs no state for it; When a training stops early, which epoch is kept, and when it goes on once more."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from medtransfer.study import Schedule, Strategy

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


def lowest(losses: Sequence[float]) -> int:
    """Give the place of the first lowest of the losses, of epochs or of rivals; one that is no number is worst."""
    return int(np.argmin([math.inf if math.isnan(loss) else loss for loss in losses]))


def out_of_patience(losses: Sequence[float], patience: int) -> int | None:
    """Count the epochs after which the loss had first not fallen for `patience` of them; None where it never had."""
    for count in range(1, len(losses) + 1):
        if count - 1 - lowest(losses[:count]) >= patience:
            return count
    return None


def goes_on(losses: Sequence[float], strategy: Strategy) -> bool:
    """Say whether, after just these epochs, a training goes on from its best one with more patience."""
    if strategy.resume_patience is None or strategy.patience is None:
        return False
    return out_of_patience(losses, strategy.patience) == len(losses)


def is_finished(losses: Sequence[float], strategy: Strategy) -> bool:
    """Say whether a training ends with these epochs: all done, its patience at an end, or its loss no finite number.

    Weights that are no numbers stay so: there is nothing to wait for.
    """
    if len(losses) >= strategy.epochs or not all(map(math.isfinite, losses)):
        return True
    if strategy.patience is None:
        return False
    stop = out_of_patience(losses, strategy.patience)
    if stop is None or strategy.resume_patience is None:
        return stop is not None
    return len(losses) - 1 - max(lowest(losses), stop - 1) >= strategy.resume_patience
