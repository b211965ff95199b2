"""Batches on their way to the device."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch

from medtransfer.backbones.fixed_batch import BATCH
from medtransfer.training.examples import Batch, Examples

MOST_AT_ONCE = 16
"""Batches that are made together at most."""

Item = TypeVar("Item")
Result = TypeVar("Result")


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
            yield Batch(batch.inputs.to(device), batch.labels.to(device))
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
        return Batch(*(part.pin_memory().to(device, non_blocking=True) for part in (batch.inputs, batch.labels)))


def one_ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Call `function` on the items in order, on each while the result of the one before is used."""
    with ThreadPoolExecutor(1) as pool:
        waiting = None
        for item in items:
            following = pool.submit(function, item)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()
