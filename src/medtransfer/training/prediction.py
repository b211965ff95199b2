"""A network's logits for many rows; the same bits however the rows are batched."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from medtransfer.models.network import BATCH, pad_batch
from medtransfer.training.batches import Examples
from medtransfer.util.compute import Compute


def predict_batches(
    run: nn.Module, examples: Examples, compute: Compute
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield the logits and targets of all rows, 32 at a time, in eval mode, on the CPU; see `batch_logits`.

    run: the network, or its layers behind the frozen prefix if the examples are activations.
    """
    run.eval()
    examples.start(0)
    for start in range(0, len(examples), BATCH):
        batch = examples.batch(np.arange(start, min(start + BATCH, len(examples))), 0)
        yield batch_logits(run, batch.inputs, compute), batch.labels


def batch_logits(run: nn.Module, inputs: torch.Tensor, compute: Compute) -> torch.Tensor:
    """Return the logits of at most 32 inputs, padded to 32, in eval mode, on the CPU."""
    with torch.inference_mode(), compute.autocast():
        outputs = run(pad_batch(inputs).to(compute.device))
    return outputs.float().cpu()[: len(inputs)]
