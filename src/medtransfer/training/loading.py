"""Batches on their way to the device."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from medtransfer.backbones.fixed_batch import BATCH
from medtransfer.overlap import one_ahead
from medtransfer.training.examples import Batch, Examples

MOST_AT_ONCE = 16
"""Batches that are made together at most."""


def load(examples: Examples, order: Sequence[np.ndarray], epoch: int, device: torch.device) -> Iterator[Batch]:
    """Give the batches of an epoch, positions by `order`, on the device.

    So many are made together that a frozen prefix, which runs on 32 images at a time, has no empty places. For a
    graphics card they are made in a thread while it computes, and copied from pinned memory on a stream of their own;
    on a processor, whose cores computing fills, a second thread would only be in its way.
    """
    examples.start(epoch)
    together = min(BATCH // math.gcd(BATCH, len(order[0])), MOST_AT_ONCE)
    groups = [order[start : start + together] for start in range(0, len(order), together)]

    def make(group: Sequence[np.ndarray]) -> list[Batch]:
        batch = examples.batch(np.concatenate(group), epoch)
        sizes = [len(positions) for positions in group]
        return [Batch(*part) for part in zip(batch.inputs.split(sizes), batch.labels.split(sizes), strict=True)]

    if device.type != "cuda":
        for batch in itertools.chain.from_iterable(map(make, groups)):
            yield Batch(on_device(batch.inputs, device), on_device(batch.labels, device))
        return
    copies, computing = torch.cuda.Stream(device), torch.cuda.current_stream(device)
    for batches in one_ahead(lambda group: [_copied(batch, device, copies) for batch in make(group)], groups):
        computing.wait_stream(copies)
        for batch in batches:
            for part in (batch.inputs, batch.labels):
                part.record_stream(computing)
            yield batch


def _copied(batch: Batch, device: torch.device, copies: torch.cuda.Stream) -> Batch:
    with torch.cuda.stream(copies):
        return Batch(on_device(batch.inputs, device), on_device(batch.labels, device))


def on_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy a tensor to a device; to a graphics card by way of pinned memory, without waiting for it."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
