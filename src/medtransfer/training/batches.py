"""Batches of rows, as pixels or as the output of a frozen prefix, and their way to the device."""

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

MOST_TOGETHER = 16
"""The largest number of batches read together."""

MEMORY_SHARE = 0.25
"""The share of a GPU's free memory that resident views may take."""


@dataclass(frozen=True)
class Batch:
    """Inputs and labels.

    inputs: uint8 pixels [n, channels, size, size], or activations packed as uint8 [n, row_bytes].
    labels: shares [n, classes], or masks [n, size, size].
    """

    inputs: torch.Tensor
    labels: torch.Tensor


class Examples(Protocol):
    """Rows that can be read in batches; `rows` are their numbers in the prepared table."""

    rows: np.ndarray

    def __len__(self) -> int:
        """Return the number of rows."""

    def start(self, epoch: int) -> None:
        """Prepare the rows for `epoch`; call before `batch`."""

    def batch(self, positions: np.ndarray, epoch: int) -> Batch:
        """Return the rows at `positions` (0 to len - 1) in `epoch`."""


class ViewExamples:
    """Augmented views of training rows; with an embedder, their activations."""

    _read: Rows

    def __init__(self, views: Views, rows: np.ndarray, embedder: Embedder | None = None) -> None:
        self.views, self.rows, self._embedder = views, rows, embedder

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def view_bytes(self) -> int | None:
        """The size of the inputs of a view; None if it is never used again, or its activations are not cached."""
        if self.views.count is None or (self._embedder is not None and not self._embedder.keeps):
            return None
        if self._embedder is not None:
            return len(self) * self._embedder.row_bytes
        return len(self) * self.views.source(0).row_bytes

    def of(self, rows: np.ndarray) -> ViewExamples:
        """Return the same views of other rows."""
        return ViewExamples(self.views, rows, self._embedder)

    def start(self, epoch: int) -> None:
        """Open the view of `epoch`."""
        self._read = _open(self.views.source(self.views.view_of(epoch)), self.rows, self._embedder)

    def batch(self, positions: np.ndarray, epoch: int) -> Batch:
        """Return rows of the view of `epoch`."""
        inputs = self._read(self.rows[positions])
        labels = self.views.labels(self.rows[positions], self.views.view_of(epoch))
        return Batch(inputs, torch.from_numpy(labels))


class ImageExamples:
    """Prepared images without augmentation, with hard labels or masks: validation and test rows.

    pixels: what is read instead of the images, such as a view of each.
    """

    _read: Rows

    def __init__(
        self, prepared: Prepared, rows: np.ndarray, embedder: Embedder | None = None, pixels: Pixels | None = None
    ) -> None:
        self._prepared, self.rows, self._embedder = prepared, rows, embedder
        self._pixels = pixels or prepared.pixels

    def __len__(self) -> int:
        return len(self.rows)

    def start(self, epoch: int) -> None:
        """Open the images, the same in every epoch."""
        self._read = _open(self._pixels, self.rows, self._embedder)

    def batch(self, positions: np.ndarray, epoch: int) -> Batch:
        """Return images and their one-hot labels, or their masks."""
        rows = self.rows[positions]
        return Batch(self._read(rows), torch.from_numpy(self._prepared.targets(rows)))


def _open(pixels: Pixels, items: np.ndarray, embedder: Embedder | None) -> Rows:
    if embedder is not None:
        return embedder.open(pixels, items)
    return lambda items: to_channels_first(pixels.read(items))


def shuffled_batches(
    count: int, size: int, epoch: int, key: tuple[Key, ...], classes: np.ndarray | None = None
) -> list[np.ndarray]:
    """Return the positions of each batch of an epoch, in an order drawn from (key, epoch).

    A last batch of one row joins the batch before it: batch norm needs two. classes: the class of each position, if as
    many positions are to be drawn so that classes are equally frequent.
    """
    rng = generator("order", *key, epoch)
    order = rng.permutation(count if classes is None else balanced_rows(classes, rng))
    return np.split(order, range(size, count - 1, size))


def balanced_rows(classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw as many positions as there are, of every class the same number, or one more for some.

    classes: int [n]. Rows of a class are taken in turns, so that none is drawn again before all others of its class.
    """
    names = np.unique(classes)
    wanted = np.full(len(names), len(classes) // len(names))
    wanted[rng.permutation(len(names))[: len(classes) % len(names)]] += 1
    drawn = []
    for name, number in zip(names, wanted, strict=True):
        rows = np.flatnonzero(classes == name)
        turns = [rng.permutation(rows) for _ in range(-(-number // len(rows)))]
        drawn.append(np.concatenate(turns)[:number])
    return np.concatenate(drawn)


class Resident:
    """Views that stay on a GPU from epoch to epoch, as long as they fit."""

    def __init__(self, examples: ViewExamples, device: torch.device) -> None:
        self._examples, self.device = examples, device
        self._views: dict[int, Batch] = {}

    def view(self, epoch: int) -> Batch | None:
        """Return all rows in `epoch`, on the GPU; None on other devices, and if they do not fit."""
        size = self._examples.view_bytes if self.device.type == "cuda" else None
        if size is None:
            return None
        number = self._examples.views.view_of(epoch)
        if number not in self._views:
            if size > MEMORY_SHARE * torch.cuda.mem_get_info(self.device)[0]:
                self._views.clear()
            if size > MEMORY_SHARE * torch.cuda.mem_get_info(self.device)[0]:
                return None
            self._examples.start(epoch)
            whole = self._examples.batch(np.arange(len(self._examples)), epoch)
            self._views[number] = batch_on(whole, self.device)
        return self._views[number]


def load(examples: ViewExamples, order: Sequence[np.ndarray], epoch: int, resident: Resident) -> Iterator[Batch]:
    """Yield the batches of an epoch, positions by `order`, on the device of `resident`.

    They are taken from views that are on a GPU already, else read and copied: see `stream`.
    """
    if (whole := resident.view(epoch)) is None:
        yield from stream(examples, order, epoch, resident.device)
        return
    places = on_device(torch.from_numpy(np.concatenate(order)), resident.device)
    for positions in places.split([len(batch) for batch in order]):
        yield Batch(whole.inputs[positions], whole.labels[positions])


def stream(examples: Examples, order: Sequence[np.ndarray], epoch: int, device: torch.device) -> Iterator[Batch]:
    """Read the batches of an epoch, positions by `order`, and copy them to the device.

    As many are read together as fill the batches of a frozen prefix, which runs on 32 images at a time. For a GPU they
    are read in a thread while it computes, and copied from pinned memory on a separate stream; on a CPU a second
    thread would compete for the same cores.
    """
    examples.start(epoch)
    together = min(BATCH // math.gcd(BATCH, len(order[0])), MOST_TOGETHER)
    groups = [order[start : start + together] for start in range(0, len(order), together)]

    def read(group: Sequence[np.ndarray]) -> list[Batch]:
        batch = examples.batch(np.concatenate(group), epoch)
        sizes = [len(positions) for positions in group]
        return [Batch(*part) for part in zip(batch.inputs.split(sizes), batch.labels.split(sizes), strict=True)]

    if device.type != "cuda":
        yield from (batch_on(batch, device) for batch in itertools.chain.from_iterable(map(read, groups)))
        return
    copies, computing = torch.cuda.Stream(device), torch.cuda.current_stream(device)

    def copied(group: Sequence[np.ndarray]) -> list[Batch]:
        with torch.cuda.stream(copies):
            return [batch_on(batch, device) for batch in read(group)]

    for batches in one_ahead(copied, groups):
        computing.wait_stream(copies)
        for batch in batches:
            for part in (batch.inputs, batch.labels):
                part.record_stream(computing)
            yield batch


def batch_on(batch: Batch, device: torch.device) -> Batch:
    """Copy a batch to a device; see `on_device`."""
    return Batch(on_device(batch.inputs, device), on_device(batch.labels, device))


def on_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy a tensor to a device; to a GPU through pinned memory, without waiting."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
