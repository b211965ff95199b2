"""`weights: simulated`: a short pretraining on simulated images, with another task than the study's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from medtransfer.backbones.bare import build_bare
from medtransfer.backbones.network import Normalise, to_channels_first, to_channels_last
from medtransfer.backbones.surgery import remove_auxiliary_heads
from medtransfer.backbones.weights import WeightsCard
from medtransfer.compute import Compute
from medtransfer.dataset.statistics import pixel_statistics
from medtransfer.progress import progress
from medtransfer.seeding import generator, seed_from
from medtransfer.sources.phantom import pretraining_set
from medtransfer.study import Pretraining

HELD_OUT = 0.1


def pretrain(model: str, spec: Pretraining, seed: int, compute: Compute) -> tuple[nn.Module, WeightsCard, float]:
    """Train a model to read the simulator's own parameters off its images.

    The images are simulated scenes, the targets the parameters that they were drawn with (grain, gain,
    geometry, number and kinds of inclusions): regression with the smooth L1 loss, Adam, a cosine schedule
    with one epoch of warm-up. Returns the model, its card, and the share of the targets' variance that it
    explains on a held-out tenth.
    """
    images, targets, _ = pretraining_set(spec.images, spec.size, seed)
    packed = images[..., None]
    held_out = max(int(HELD_OUT * len(images)), 1)
    learn, check = np.arange(held_out, len(images)), np.arange(held_out)
    mean, std = pixel_statistics(packed, learn)
    torch.manual_seed(seed_from("pretraining", seed))
    network = build_bare(model, spec.size, num_classes=targets.shape[1])
    remove_auxiliary_heads(network)
    whole = nn.Sequential(Normalise(mean, std), network).to(compute.device)
    to_channels_last(whole)
    with progress(spec.epochs * (len(learn) // spec.batch_size), f"weights {model}", "batch") as bar:
        for _ in _fit(whole, packed[learn], torch.from_numpy(targets[learn]), spec, seed, compute):
            bar.update()
    explained = _explained(whole, packed, targets, check, compute)
    card = WeightsCard(
        model=model,
        source="simulated",
        reference=f"{len(learn)} simulated images, {spec.epochs} epochs, {targets.shape[1]} parameters to read",
        sha256=None,
        mean=mean,
        std=std,
    )
    return network.cpu(), card, explained


def _fit(
    network: nn.Module, images: np.ndarray, targets: torch.Tensor, spec: Pretraining, seed: int, compute: Compute
) -> Iterator[None]:
    """Train, batch by batch: one step each time the iterator is advanced."""
    batches = len(images) // spec.batch_size
    optimizer = torch.optim.Adam(network.parameters(), lr=spec.lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, spec.lr, total_steps=spec.epochs * batches, pct_start=min(1 / spec.epochs, 0.3)
    )
    network.train()
    for epoch in range(spec.epochs):
        order = generator("pretraining order", seed, epoch).permutation(len(images))
        for batch in order[: batches * spec.batch_size].reshape(batches, spec.batch_size):
            optimizer.zero_grad(set_to_none=True)
            with compute.autocast():
                outputs = network(to_channels_first(images[batch]).to(compute.device))
            loss = nn.functional.smooth_l1_loss(outputs.float(), targets[batch].to(compute.device))
            loss.backward()
            optimizer.step()
            schedule.step()
            yield


def _explained(
    network: nn.Module, images: np.ndarray, targets: np.ndarray, rows: np.ndarray, compute: Compute
) -> float:
    network.eval()
    outputs = []
    with torch.inference_mode(), compute.autocast():
        for start in range(0, len(rows), 64):
            batch = rows[start : start + 64]
            outputs.append(network(to_channels_first(images[batch]).to(compute.device)).float().cpu())
    residual = torch.cat(outputs).numpy() - targets[rows]
    return float(1 - residual.var() / targets[rows].var())
