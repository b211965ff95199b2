"""Batches on their way to the device."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from medtransfer.backbones.fixed_batch import BATCH
from medtransfer.overlap import one_ahead
from medtransfer.training.examples import Batch, Examples, ViewExamples

MOST_AT_ONCE = 16
"""Batches that are made together at most."""

SHARE = 0.25
"""What views may take of the memory that is free on a graphics card."""


class Resident:
    """Views that stay on a graphics card from epoch to epoch, as long as they fit there."""

    def __init__(self, examples: ViewExamples, device: torch.device) -> None:
        self._examples, self.device = examples, device
        self._views: dict[int, Batch] = {}

    def view(self, epoch: int) -> Batch | None:
        """Give all rows as they stand in `epoch`, on the card; None on other devices, and where they do not fit."""
        size = self._examples.view_bytes if self.device.type == "cuda" else None
        if size is None:
            return None
        number = self._examples.views.view_of(epoch)
        if number not in self._views:
            if size > SHARE * torch.cuda.mem_get_info(self.device)[0]:
                self._views.clear()
            if size > SHARE * torch.cuda.mem_get_info(self.device)[0]:
                return None
            self._examples.start(epoch)
            whole = self._examples.batch(np.arange(len(self._examples)), epoch)
            self._views[number] = Batch(*(on_device(part, self.device) for part in (whole.inputs, whole.labels)))
        return self._views[number]


def load(examples: ViewExamples, order: Sequence[np.ndarray], epoch: int, resident: Resident) -> Iterator[Batch]:
    """Give the batches of an epoch, positions by `order`, on the device of `resident`.

    They are chosen from what is on a graphics card already, or else made and copied there: see `stream`.
    """
    if (whole := resident.view(epoch)) is None:
        yield from stream(examples, order, epoch, resident.device)
        return
    places = on_device(torch.from_numpy(np.concatenate(order)), resident.device)
    for positions in places.split([len(batch) for batch in order]):
        yield Batch(whole.inputs[positions], whole.labels[positions])


def stream(examples: Examples, order: Sequence[np.ndarray], epoch: int, device: torch.device) -> Iterator[Batch]:
    """Make the batches of an epoch, positions by `order`, and copy them to the device.

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
