"""When a training stops early, which epoch is kept, and when it goes on once more."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from medtransfer.study import Strategy


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
