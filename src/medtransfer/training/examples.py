"""What a batch is made of: pixels of views, or what a frozen prefix computes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from medtransfer.backbones.network import to_channels_first
from medtransfer.dataset.pixels import Pixels
from medtransfer.dataset.prepared import Prepared
from medtransfer.seeding import Key, generator

if TYPE_CHECKING:
    from medtransfer.augmentation.store import Views
    from medtransfer.embeddings.embedder import Embedder, Rows


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
