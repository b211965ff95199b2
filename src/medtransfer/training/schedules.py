"""Learning rate schedules and early stopping: pure functions of the epochs so far; resuming needs no state.

To add a schedule, register a function of (epoch, epochs, losses) that returns the factor of the learning rate. Its
keyword-only parameters are its options, set in the `schedule` section of a strategy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from medtransfer.study import Schedule, Strategy
from medtransfer.study.section import Count, Fraction
from medtransfer.util.registry import Registry, with_options

PLATEAU_THRESHOLD = 1e-4
"""The relative fall of the loss that counts as progress, as in torch's ReduceLROnPlateau."""

SCHEDULES: Registry[Callable[..., float]] = Registry("schedule")
"""Functions of an epoch, the number of epochs and the validation losses before it, all counted after the warm-up."""


@SCHEDULES.entry("constant")
def constant(epoch: int, epochs: int, losses: Sequence[float]) -> float:
    """Keep the full rate."""
    return 1.0


@SCHEDULES.entry("step")
def step(epoch: int, epochs: int, losses: Sequence[float], *, every: Count = 2, factor: Fraction = 0.8) -> float:
    """Multiply the rate by `factor` every `every` epochs."""
    return float(factor ** (epoch // every))


@SCHEDULES.entry("exponential")
def exponential(epoch: int, epochs: int, losses: Sequence[float], *, factor: Fraction = 0.8) -> float:
    """Multiply the rate by `factor` every epoch."""
    return float(factor**epoch)


@SCHEDULES.entry("plateau")
def plateau(epoch: int, epochs: int, losses: Sequence[float], *, factor: Fraction = 0.8, patience: Count = 2) -> float:
    """Multiply the rate by `factor` after more than `patience` epochs without progress of the validation loss."""
    best, waited, plateaus = math.inf, 0, 0
    for loss in losses:
        if loss < best * (1 - PLATEAU_THRESHOLD):
            best, waited = loss, 0
        else:
            waited += 1
        if waited > patience:
            plateaus, waited = plateaus + 1, 0
    return float(factor**plateaus)


@SCHEDULES.entry("cosine")
def cosine(epoch: int, epochs: int, losses: Sequence[float]) -> float:
    """Lower the rate to 0 along half a cosine period (Loshchilov and Hutter 2017, without restarts)."""
    return 0.5 * (1 + math.cos(math.pi * epoch / max(epochs, 1)))


def rate_factor(schedule: Schedule, epoch: int, epochs: int, validation_losses: Sequence[float]) -> float:
    """Return the factor of the full learning rate in `epoch` (from 0) of `epochs`.

    The warm-up rises linearly to 1; the schedule starts after it. `validation_losses` are those of the epochs before.
    """
    warmup = schedule.warmup
    if epoch < warmup:
        return (epoch + 1) / warmup
    factor = with_options(SCHEDULES[schedule.kind], schedule.model_dump())
    return float(factor(epoch - warmup, epochs - warmup, validation_losses[warmup:epoch]))


def lowest(losses: Sequence[float]) -> int:
    """Return the index of the first minimum; NaN counts as the largest."""
    return int(np.argmin([math.inf if math.isnan(loss) else loss for loss in losses]))


def out_of_patience(losses: Sequence[float], patience: int) -> int | None:
    """Return the number of epochs after which the loss had first not fallen for `patience` of them; None if never."""
    for count in range(1, len(losses) + 1):
        if count - 1 - lowest(losses[:count]) >= patience:
            return count
    return None


def resumes(losses: Sequence[float], strategy: Strategy) -> bool:
    """Whether, after exactly these epochs, training resumes from its best epoch with `resume_patience`."""
    if strategy.resume_patience is None or strategy.patience is None:
        return False
    return out_of_patience(losses, strategy.patience) == len(losses)


def is_finished(losses: Sequence[float], strategy: Strategy) -> bool:
    """Whether training ends with these epochs: all done, out of patience, or diverged to a loss that is not finite."""
    if len(losses) >= strategy.epochs or not all(map(math.isfinite, losses)):
        return True
    if strategy.patience is None:
        return False
    stop = out_of_patience(losses, strategy.patience)
    if stop is None or strategy.resume_patience is None:
        return stop is not None
    return len(losses) - 1 - max(lowest(losses), stop - 1) >= strategy.resume_patience
