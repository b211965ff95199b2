"""A trained variant that predicts images which stand in no prepared set, as `evaluate` predicts those that do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from medtransfer.backbones.network import Network, to_channels_first
from medtransfer.compute import Compute
from medtransfer.study import Loss, Variant
from medtransfer.training.embeddings import body_hash, compute_features
from medtransfer.training.losses import probabilities
from medtransfer.training.model_files import load_run, read_card
from medtransfer.training.prediction import batch_logits

Run = tuple[int, int]
"""The fold and the seed of a run."""


class Predictor:
    """Runs of a trained variant in memory; runs with the same frozen body share it and what it computes.

    Whatever images stand in a batch, and however many, an image's probabilities have the bits that `evaluate`
    gave it on the same device: it goes through the same functions, in batches of one size, and in eval mode no
    layer looks at the other images.
    """

    def __init__(self, model: Path, runs: Sequence[Run], compute: Compute) -> None:
        strategy = Variant.from_card(read_card(model)).strategy
        self._loss, self._on_features, self._compute = strategy.loss, not strategy.trains_backbone, compute
        self.networks: list[Network] = []
        self._bodies: list[int] = []  # for each network the number of the first one with its body
        first: dict[str, int] = {}
        for number, (fold, seed) in enumerate(runs):
            network = load_run(model, fold, seed)
            owner = first.setdefault(body_hash(network), number) if self._on_features else number
            if owner < number:
                network.normalise, network.body = self.networks[owner].normalise, self.networks[owner].body
            self.networks.append(network.to(compute.device))
            self._bodies.append(owner)

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Give each run's class probabilities, float32 [runs, n, classes], of packed images, n at most 32.

        pixels: uint8 [n, size, size, channels].
        """
        inputs: dict[int, torch.Tensor] = {}
        found = []
        for network, owner in zip(self.networks, self._bodies, strict=True):
            if owner not in inputs:
                inputs[owner] = self._inputs(network, pixels)
            logits = batch_logits(network, inputs[owner], self._on_features, self._compute)
            found.append(probabilities(logits, self._loss).numpy())
        return np.stack(found)

    def as_module(self) -> Classifier:
        """Give the runs as one module, on the CPU and in float32, which needs nothing around it."""
        return Classifier(self.networks, self._bodies, self._loss).cpu().eval()

    def _inputs(self, network: Network, pixels: np.ndarray) -> torch.Tensor:
        if self._on_features:
            return torch.from_numpy(compute_features(network, pixels, self._compute))
        return to_channels_first(pixels)


class Classifier(nn.Module):
    """Runs of a trained variant from packed pixels to the mean of their probabilities, to be taken elsewhere."""

    def __init__(self, networks: Sequence[Network], bodies: Sequence[int], loss: Loss) -> None:
        super().__init__()
        self.networks, self._bodies, self._loss = nn.ModuleList(networks), list(bodies), loss

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map uint8 pixels [n, channels, size, size] to probabilities float32 [n, classes]."""
        features = {owner: cast(Network, self.networks[owner]).features(pixels) for owner in set(self._bodies)}
        scores = [
            probabilities(cast(Network, network).head(features[owner]), self._loss)
            for network, owner in zip(self.networks, self._bodies, strict=True)
        ]
        return torch.stack(scores).mean(dim=0)


def mean_over_runs(probabilities: np.ndarray) -> np.ndarray:
    """Give the mean of the runs' probabilities [runs, ...], summed in float64, as float32; of one run its own bits."""
    return probabilities.astype(np.float64).mean(axis=0).astype(np.float32)
