"""Loading of batches: the same rows however many batches are read together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from builders import COMPUTE

from medtransfer.training.batches import MOST_TOGETHER, Batch, stream


class Numbers:
    """Rows that are their own numbers; records how many are read at a time."""

    def __init__(self, count: int) -> None:
        self.rows, self.asked, self.started = np.arange(count), [], []

    def __len__(self) -> int:
        return len(self.rows)

    def start(self, epoch: int) -> None:
        self.started.append(epoch)

    def batch(self, positions: np.ndarray, epoch: int) -> Batch:
        assert self.started[-1] == epoch
        self.asked.append(len(positions))
        return Batch(torch.from_numpy(positions), torch.from_numpy(positions)[:, None] * 10)


@pytest.mark.parametrize(
    ("size", "asked"),
    [(32, [32, 32, 6]), (64, [64, 6]), (16, [32, 32, 6]), (12, [70]), (7, [70]), (1, [16, 16, 16, 16, 6])],
)
def test_batches_follow_the_order_and_fill_the_frozen_prefix(size: int, asked: list[int]) -> None:
    examples, order = Numbers(70), np.split(np.random.default_rng(0).permutation(70), range(size, 70, size))
    batches = list(stream(examples, order, 3, COMPUTE.device))
    assert examples.started == [3]
    assert examples.asked == asked
    assert max(asked) <= MOST_TOGETHER * size
    for batch, positions in zip(batches, order, strict=True):
        assert batch.inputs.tolist() == positions.tolist()
        assert batch.labels.flatten().tolist() == (10 * positions).tolist()
