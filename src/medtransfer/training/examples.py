"""What a batch is made of: pixels of views, or the features that a frozen body computes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from medtransfer.backbones.network import to_channels_first
from medtransfer.dataset.prepared import Prepared
from medtransfer.seeding import Key, generator

if TYPE_CHECKING:
    from medtransfer.augmentation.store import Views


@dataclass(frozen=True)
class Batch:
    """Inputs (uint8 pixels [n, channels, size, size], or features [n, width]) and what is to be learned of them.

    labels: shares [n, classes], or masks [n, size, size].
    """

    inputs: torch.Tensor
    labels: torch.Tensor


class Examples(Protocol):
    """Rows that can be asked for in batches."""

    def __len__(self) -> int:
        """Count the rows."""

    def batch(self, positions: np.ndarray, epoch: int) -> Batch:
        """Give the rows at `positions` (0 to len - 1) as they stand in `epoch`."""


class ViewExamples:
    """Augmented views of training rows."""

    def __init__(self, views: Views, rows: np.ndarray) -> None:
        self._views, self._rows = views, rows

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, positions: np.ndarray, epoch: int) -> Batch:
        """Give the view that `epoch` trains on."""
        rows, view = self._rows[positions], self._views.view_of(epoch)
        pixels = to_channels_first(self._views.pixels(rows, view))
        return Batch(pixels, torch.from_numpy(self._views.labels(rows, view)))


class ImageExamples:
    """Prepared images as they are, with hard labels or masks: validation and test rows."""

    def __init__(self, prepared: Prepared, rows: np.ndarray) -> None:
        self._prepared, self._rows = prepared, rows

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, positions: np.ndarray, epoch: int) -> Batch:
        """Give the images and their one-hot labels, or their masks."""
        rows = self._rows[positions]
        return Batch(to_channels_first(self._prepared.images[rows]), torch.from_numpy(self._prepared.targets(rows)))


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
