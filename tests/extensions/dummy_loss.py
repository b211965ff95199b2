"""A loss from outside: the mean power of the distance between probabilities and label shares."""

import torch

from medtransfer.training.losses import CLASS_LOSSES


@CLASS_LOSSES.entry("distance")
def distance(logits: torch.Tensor, shares: torch.Tensor, *, power: float = 2.0) -> torch.Tensor:
    return ((logits.softmax(dim=-1) - shares).abs() ** power).sum(dim=-1)
