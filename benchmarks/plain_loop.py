"""The training loop that a user would write: each epoch draws new views and runs the whole network on them.

It shares with the project the network, the views (drawn by as many processes) and the order of the images, so that both
train on the same pixels; batches, optimizer, loss and predictions are plain torch. Tensors have torch's default memory
format or, for users who know that it is faster, channels-last.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from medtransfer.augmentation.store import Views, view_pixels
from medtransfer.models.network import Network, to_channels_first
from medtransfer.training.batches import shuffled_batches
from medtransfer.training.runs import Inputs, make_job
from medtransfer.util.compute import Compute
from medtransfer.util.seeds import seed_from

BATCH = 32

LAYOUTS = {"plain loop": torch.contiguous_format, "plain loop, channels-last": torch.channels_last}


@dataclass(frozen=True)
class Plain:
    """Results of the plain loop: the seconds of each epoch and the test probabilities [n, classes]."""

    seconds: list[float]
    probabilities: np.ndarray


class Laid(nn.Module):
    """A copy of a network that computes in one memory format throughout."""

    def __init__(self, network: Network, layout: torch.memory_format) -> None:
        super().__init__()
        self._layout = layout
        self.network = copy.deepcopy(network).to(memory_format=layout)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        network = self.network
        return network.head(network.body(network.normalise(pixels).contiguous(memory_format=self._layout)))


def train_plainly(
    inputs: Inputs,
    fresh: Views,
    seed: int,
    epochs: int,
    layout: torch.memory_format = torch.contiguous_format,
    moving_statistics: bool = False,
) -> Plain:
    """Train one run; each epoch is timed from drawing its views to the end of its validation.

    fresh: views of the run's policy, drawn on demand.
    moving_statistics: put the batch norms of frozen layers in training mode, as happens if a whole network is put in
    training mode and only its parameters are frozen.
    """
    job, prepared = make_job(inputs, 0, seed), inputs.prepared
    network, roles, rate = Laid(job.network, layout), prepared.roles(0), inputs.variant.strategy.lr
    device = inputs.compute.device
    labels = torch.from_numpy(prepared.table["label_index"].to_numpy(copy=True)).to(device)
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], rate)
    seconds = []
    for epoch in range(epochs):
        started = time.perf_counter()
        torch.manual_seed(seed_from("epoch", seed, 0, epoch))  # dropout
        network.train()
        for layer in network.network.body.modules() if moving_statistics else ():
            layer.training = True
        for positions in shuffled_batches(len(roles.train), BATCH, epoch, (seed, 0)):
            rows = roles.train[positions]
            optimizer.zero_grad()
            images = to_channels_first(view_pixels(fresh, rows, epoch)).to(device)
            with inputs.compute.autocast():
                logits = network(images)
            nn.functional.cross_entropy(logits.float(), labels[rows]).backward()
            optimizer.step()
        predict(network, prepared.images, roles.validation, inputs.compute)
        seconds.append(time.perf_counter() - started)
    return Plain(seconds, predict(network, prepared.images, roles.test, inputs.compute))


def epoch_seconds(inputs: Inputs, fresh: Views, seed: int) -> dict[str, list[float]]:
    """Time one epoch in each memory format."""
    return {name: train_plainly(inputs, fresh, seed, 1, layout).seconds for name, layout in LAYOUTS.items()}


@torch.inference_mode()
def predict(network: nn.Module, images: np.ndarray, rows: np.ndarray, compute: Compute) -> np.ndarray:
    """Return the probabilities of images [n, classes]."""
    network.eval()
    device = next(network.parameters()).device
    starts = range(0, len(rows), BATCH)
    batches = [to_channels_first(images[rows[start : start + BATCH]]).to(device) for start in starts]
    with compute.autocast():
        logits = torch.cat([network(batch) for batch in batches])
    return logits.float().softmax(dim=1).cpu().numpy()
