"""What a batch is made of: pixels of views, or what a frozen prefix computes of them; Batches on their way to the device."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from medtransfer.data.images.packed import Pixels
from medtransfer.data.prepared import Prepared
from medtransfer.models.network import BATCH, to_channels_first
from medtransfer.util.progress import one_ahead
from medtransfer.util.seeds import Key, generator

if TYPE_CHECKING:
    from medtransfer.augmentation.store import Views
    from medtransfer.features.embedder import Embedder, Rows


@dataclass(frozen=True)
class Batch:
    """Inputs and what is to be learned of them.

    inputs: uint8 pixels [n, channels, size, size], or activations at a border, packed as uint8 [n, row_bytes].
    labels: shares [n, classes], or masks [n, size, size].
    """

    inputs: torch.Tensor
    labels: torch.Tensor


class Examples(Protocol):
    """Rows that can be asked for in batches."""

    rows: np.ndarray
    """Their numbers in the prepared table."""

    def __len__(self) -> int:
        """Count the rows."""

    def start(self, epoch: int) -> None:
        """Make the rows ready as they stand in `epoch`; their batches are asked for after this."""

    def batch(self, positions: np.ndarray, epoch: int) -> Batch:
        """Give the rows at `positions` (0 to len - 1) as they stand in `epoch`."""


class ViewExamples:
    """Augmented views of training rows; with an embedder, their activations."""

    _read: Rows

    def __init__(self, views: Views, rows: np.ndarray, embedder: Embedder | None = None) -> None:
        self.views, self.rows, self._embedder = views, rows, embedder
        self._items = views.items(rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def view_bytes(self) -> int | None:
        """The size of a view's inputs; None where it does not come again, or its frozen layers run anew each time."""
        if self.views.count is None or (self._embedder is not None and not self._embedder.keeps):
            return None
        if self._embedder is not None:
            return len(self) * self._embedder.row_bytes
        return len(self) * self.views.source(0).row_bytes

    def of(self, rows: np.ndarray) -> ViewExamples:
        """Give the same views of other rows."""
        return ViewExamples(self.views, rows, self._embedder)

    def start(self, epoch: int) -> None:
        """Open the view that `epoch` trains on."""
        self._read = _open(self.views.source(self.views.view_of(epoch)), self._items, self._embedder)

    def batch(self, positions: np.ndarray, epoch: int) -> Batch:
        """Give the view that `epoch` trains on."""
        inputs = self._read(self._items[positions])
        labels = self.views.labels(self.rows[positions], self.views.view_of(epoch))
        return Batch(inputs, torch.from_numpy(labels))


class ImageExamples:
    """Prepared images as they are, with hard labels or masks: validation and test rows."""

    _read: Rows

    def __init__(self, prepared: Prepared, rows: np.ndarray, embedder: Embedder | None = None) -> None:
        self._prepared, self.rows, self._embedder = prepared, rows, embedder

    def __len__(self) -> int:
        return len(self.rows)

    def start(self, epoch: int) -> None:
        """Open the images, which are the same in every epoch."""
        self._read = _open(self._prepared.pixels, self.rows, self._embedder)

    def batch(self, positions: np.ndarray, epoch: int) -> Batch:
        """Give the images and their one-hot labels, or their masks."""
        rows = self.rows[positions]
        return Batch(self._read(rows), torch.from_numpy(self._prepared.targets(rows)))


def _open(pixels: Pixels, items: np.ndarray, embedder: Embedder | None) -> Rows:
    return _pixel_rows(pixels) if embedder is None else embedder.open(pixels, items)


def _pixel_rows(pixels: Pixels) -> Rows:
    return lambda items: to_channels_first(pixels.read(items))


def shuffled_batches(count: int, size: int, epoch: int, key: tuple[Key, ...]) -> Iterator[np.ndarray]:
    """Give the positions of each batch of an epoch, in an order drawn from (key, epoch).

    A last batch of one joins the one before it: batch norm needs two.
    """
    order = generator("order", *key, epoch).permutation(count)
    starts = list(range(0, count, size))
    if len(starts) > 1 and count - starts[-1] == 1:
        starts.pop()
    for start, stop in zip(starts, [*starts[1:], count], strict=True):
        yield order[start:stop]


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
