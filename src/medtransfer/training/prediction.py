"""A network's logits for many rows, the same bits however the rows are asked for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from medtransfer.backbones.network import Network
from medtransfer.compute import Compute
from medtransfer.training.examples import Examples

BATCH = 32
"""Every batch has exactly this size, the last one padded: kernels are chosen by shape, so a row's result then
does not depend on how many rows there are."""


def pad_batch(inputs: torch.Tensor) -> torch.Tensor:
    """Repeat the last of at most 32 inputs until there are 32."""
    missing = BATCH - len(inputs)
    return inputs if missing == 0 else torch.cat([inputs, inputs[-1:].expand(missing, *inputs.shape[1:])])


def predict_batches(
    network: Network, examples: Examples, on_features: bool, compute: Compute
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Give the logits and targets of all rows, 32 at a time, in eval mode, on the CPU; see `batch_logits`."""
    network.eval()
    for start in range(0, len(examples), BATCH):
        batch = examples.batch(np.arange(start, min(start + BATCH, len(examples))), 0)
        yield batch_logits(network, batch.inputs, on_features, compute), batch.labels


def predict_logits(
    network: Network, examples: Examples, on_features: bool, compute: Compute
) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the logits [n, ...] and targets of all rows at once; see `predict_batches`."""
    logits, targets = zip(*predict_batches(network, examples, on_features, compute), strict=True)
    return torch.cat(logits), torch.cat(targets)


def batch_logits(network: Network, inputs: torch.Tensor, on_features: bool, compute: Compute) -> torch.Tensor:
    """Give the logits of at most 32 inputs of a network in eval mode, on the CPU.

    on_features: the inputs are features, and only the head is run.
    """
    run = network.head if on_features else network
    with torch.inference_mode(), compute.autocast():
        outputs = run(pad_batch(inputs).to(compute.device))
    return outputs.float().cpu()[: len(inputs)]
