"""A network's logits for many rows; the same bits however the rows are batched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from medtransfer.augmentation.tta import TestTimeViews, moved_back
from medtransfer.models.network import BATCH, pad_batch
from medtransfer.training.batches import Examples, ImageExamples
from medtransfer.util.compute import Compute

if TYPE_CHECKING:
    from medtransfer.data.prepared import Prepared
    from medtransfer.features.embedder import Embedder


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


def batches_of_views(
    run: nn.Module,
    views: TestTimeViews,
    prepared: Prepared,
    rows: np.ndarray,
    embedder: Embedder | None,
    compute: Compute,
) -> Iterator[list[torch.Tensor]]:
    """Yield the logits of 32 rows at a time, one tensor for each view; those of masks at the places of the image."""
    pixels, shape = prepared.pixels, prepared.images.shape[1:]
    each = [
        predict_batches(run, ImageExamples(prepared, rows, embedder, views.pixels(pixels, shape, view)), compute)
        for view in range(views.count)
    ]
    for start, batch in zip(range(0, len(rows), BATCH), zip(*each, strict=True), strict=True):
        logits = [found for found, _ in batch]
        if prepared.target_masks is not None:
            images = prepared.images[rows[start : start + BATCH]]
            logits = [moved_back(found, views.draw(images, view)[1]) for view, found in enumerate(logits)]
        yield logits
