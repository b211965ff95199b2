"""The batches of heads that train in step with each other: at each step one for every fold and seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from medtransfer.features.embedder import Embedder
from medtransfer.training.batches import Batch, Examples, Resident, ViewExamples, on_device, shuffled_batches
from medtransfer.training.loop import Job

BYTES = 16_000_000
"""What is read at once: some steps, as long as they are small, for reading anew costs each time."""


@dataclass(frozen=True)
class HeadBatches:
    """A step's batches side by side: of each, features [s, n, width] and labels [s, n, classes].

    counts: how many of a batch's n rows are its own; those behind them are some of them again.
    """

    features: torch.Tensor
    labels: torch.Tensor
    counts: list[int]

    @property
    def is_full(self) -> bool:
        """Whether every batch's rows are all its own."""
        return min(self.counts) == self.features.shape[1]

    @property
    def own(self) -> torch.Tensor:
        """Say which rows are a batch's own, [s, n]."""
        counts = torch.tensor(self.counts, device=self.features.device)[:, None]
        return torch.arange(self.features.shape[1], device=counts.device) < counts

    @property
    def shares(self) -> float | torch.Tensor:
        """Say what each row counts in the mean over its batch, [s, n], or where all count alike, one number."""
        if self.is_full:
            return 1 / self.features.shape[1]
        own = self.own
        return own / own.sum(dim=1, keepdim=True)


class BatchReader:
    """Reads the batches of views of training rows, and of images as they are."""

    def __init__(self, train: ViewExamples, embedder: Embedder, device: torch.device, size: int) -> None:
        self._train, self._embedder, self._device, self._size = train, embedder, device, size
        self._resident = Resident(train, device)

    def epoch(self, number: int, jobs: Sequence[Job]) -> Iterator[HeadBatches]:
        """Give the batches of each step of an epoch, each job's in its own order; the longest jobs come first."""
        whole = self._resident.view(number)
        if whole is None:
            self._train.start(number)
        places = [np.searchsorted(self._train.rows, job.train.rows) for job in jobs]
        orders = [list(shuffled_batches(len(job.train), self._size, number, job.key)) for job in jobs]
        steps = [
            [place[order[step]] for place, order in zip(places, orders, strict=True) if step < len(order)]
            for step in range(len(orders[0]))
        ]
        together = max(1, BYTES // (len(jobs) * self._size * self._embedder.row_bytes))
        for start in range(0, len(steps), together):
            yield from self._read(steps[start : start + together], number, whole)

    def rows(self, examples: Examples, positions: np.ndarray, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Give features [n, width] and labels [n, classes] of examples, on the device."""
        batch = examples.batch(positions, epoch)
        return on_device(self._embedder.features(batch.inputs), self._device), on_device(batch.labels, self._device)

    def _read(self, steps: Sequence[Sequence[np.ndarray]], number: int, whole: Batch | None) -> Iterator[HeadBatches]:
        longest = [max(map(len, batches)) for batches in steps]
        padded = [
            batch if len(batch) == rows else np.resize(batch, rows)
            for batches, rows in zip(steps, longest, strict=True)
            for batch in batches
        ]
        positions = np.concatenate(padded)
        if whole is None:
            found = self.rows(self._train, positions, number)
        else:
            chosen = on_device(torch.from_numpy(positions), self._device)
            found = self._embedder.features(whole.inputs[chosen]), whole.labels[chosen]
        sizes = [rows * len(batches) for batches, rows in zip(steps, longest, strict=True)]
        for batches, *parts in zip(steps, *(values.split(sizes) for values in found), strict=True):
            features, labels = (part.unflatten(0, (len(batches), -1)) for part in parts)
            yield HeadBatches(features, labels, [len(batch) for batch in batches])
