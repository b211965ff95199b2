"""The result for a row does not depend on the other rows of its batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from builders import COMPUTE, assembled

from medtransfer.models.network import BATCH
from medtransfer.training.batches import Batch, shuffled_batches
from medtransfer.training.prediction import batch_logits, predict_batches
from medtransfer.util.compute import Compute


class Rows:
    def __init__(self, pixels: torch.Tensor) -> None:
        self.pixels, self.rows = pixels, np.arange(len(pixels))

    def __len__(self) -> int:
        return len(self.pixels)

    def start(self, epoch: int) -> None:
        pass

    def batch(self, positions: np.ndarray, epoch: int) -> Batch:
        return Batch(self.pixels[positions], torch.zeros(len(positions), 3))


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "resnet18", "squeezenet1_1"])
def test_logits_are_the_same_bits_alone_and_among_others(name: str) -> None:
    torch.manual_seed(0)
    network = assembled(name, "own", 64)
    pixels = torch.randint(0, 256, (70, 1, 64, 64), dtype=torch.uint8)
    together = torch.cat([logits for logits, _ in predict_batches(network, Rows(pixels), COMPUTE)])
    for chosen in ([3], [69, 0], list(range(40, 57))):
        alone = torch.cat([logits for logits, _ in predict_batches(network, Rows(pixels[chosen]), COMPUTE)])
        assert torch.equal(alone, together[chosen])


@pytest.mark.parametrize(
    "name", ["alexnet", "densenet121", "googlenet", "shufflenet_v2_x1_0", "efficientnet_b0", "swin_t", "cnn_small"]
)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_logits_are_the_same_bits_wherever_in_the_batch(name: str, precision: str) -> None:
    torch.manual_seed(0)
    network = assembled(name, "linear", 64)
    compute = Compute(COMPUTE.device, precision)
    pixels = torch.randint(0, 256, (BATCH, 1, 64, 64), dtype=torch.uint8)
    pixels[1::2] = pixels[0]
    logits = batch_logits(network, pixels, compute)
    assert torch.equal(logits[1::2], logits[:1].expand(BATCH // 2, -1))
    assert torch.equal(batch_logits(network, pixels[:1], compute), logits[:1])


@pytest.mark.parametrize(("count", "sizes"), [(10, [4, 4, 2]), (9, [4, 5]), (8, [4, 4]), (1, [1]), (3, [3])])
def test_batches_cover_every_row_once_and_none_has_a_single_row(count: int, sizes: list[int]) -> None:
    batches = list(shuffled_batches(count, 4, 0, (0, 0)))
    assert [len(batch) for batch in batches] == sizes
    assert sorted(np.concatenate(batches)) == list(range(count))


@pytest.mark.parametrize("counts", [(7, 2, 40), (5, 5), (1, 30)])
def test_a_balanced_epoch_takes_classes_equally_often_and_repeats_no_row_before_its_turn(
    counts: tuple[int, ...],
) -> None:
    classes = np.repeat(np.arange(len(counts)), counts)
    rows = np.concatenate(shuffled_batches(len(classes), 4, 0, (0, 0), classes))
    drawn = np.bincount(classes[rows])
    assert drawn.sum() == len(classes)
    assert drawn.max() - drawn.min() <= 1
    times = np.bincount(rows, minlength=len(classes))
    for number in range(len(counts)):
        assert np.ptp(times[classes == number]) <= 1
    other = np.concatenate(shuffled_batches(len(classes), 4, 1, (0, 0), classes))
    assert not np.array_equal(rows, other)


def test_the_order_is_drawn_from_the_key_and_the_epoch() -> None:
    def order(*key: int, epoch: int) -> list[int]:
        return list(np.concatenate(list(shuffled_batches(50, 8, epoch, key))))

    assert order(1, 0, epoch=0) == order(1, 0, epoch=0)
    assert len({tuple(order(*key, epoch=epoch)) for key in ((1, 0), (0, 1)) for epoch in (0, 1)}) == 4
