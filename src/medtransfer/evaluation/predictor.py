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
from medtransfer.training.model_files import load_run, read_card
from medtransfer.training.prediction import batch_logits
from medtransfer.training.tasks import TASKS, Task

Run = tuple[int, int]
"""The fold and the seed of a run."""


class Predictor:
    """Runs of a trained variant in memory; runs with the same frozen body share it and what it computes.

    Whatever images stand in a batch, and however many, an image's answer has the bits that `evaluate` gave it on
    the same device: it goes through the same functions, in batches of one size, and in eval mode no layer looks
    at the other images.
    """

    def __init__(self, model: Path, runs: Sequence[Run], compute: Compute) -> None:
        card = read_card(model)
        strategy = Variant.from_card(card).strategy
        self._task, self._loss, self._compute = TASKS[card["task"]], strategy.loss, compute
        self._on_features = self._task.flat_features and not strategy.trains_backbone
        self.networks: list[Network] = []
        self._bodies: list[int] = []  # for each network the number of the first one with its body
        first: dict[str, int] = {}
        for number, (fold, seed) in enumerate(runs):
            network = load_run(model, fold, seed)
            owner = number if strategy.trains_backbone else first.setdefault(body_hash(network), number)
            if owner < number:
                network.normalise, network.body = self.networks[owner].normalise, self.networks[owner].body
            self.networks.append(network.to(compute.device))
            self._bodies.append(owner)

    def answers(self, pixels: np.ndarray) -> np.ndarray:
        """Give what the runs say together of packed images: probabilities [n, classes], or masks uint8 [n, h, w].

        pixels: uint8 [n, size, size, channels], n at most 32.
        """
        return self._task.joint_answers(self.logits(pixels), self._loss)

    def logits(self, pixels: np.ndarray) -> list[torch.Tensor]:
        """Give each run's logits of packed images, n at most 32."""
        inputs: dict[int, torch.Tensor] = {}
        found = []
        for network, owner in zip(self.networks, self._bodies, strict=True):
            if owner not in inputs:
                inputs[owner] = self._inputs(network, pixels)
            found.append(batch_logits(network, inputs[owner], self._on_features, self._compute))
        return found

    def as_module(self) -> Ensemble:
        """Give the runs as one module, on the CPU and in float32, which needs nothing around it."""
        return Ensemble(self.networks, self._bodies, self._task, self._loss).cpu().eval()

    def _inputs(self, network: Network, pixels: np.ndarray) -> torch.Tensor:
        if self._on_features:
            return torch.from_numpy(compute_features(network, pixels, self._compute))
        return to_channels_first(pixels)


class Ensemble(nn.Module):
    """Runs of a trained variant from packed pixels to the mean of their probabilities, to be taken elsewhere."""

    def __init__(self, networks: Sequence[Network], bodies: Sequence[int], task: Task, loss: Loss) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self._bodies, self._task, self._loss = list(bodies), task, loss

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map uint8 pixels [n, channels, size, size] to probabilities float32 [n, outputs] or [n, outputs, h, w]."""
        features = {owner: cast(Network, self.networks[owner]).features(pixels) for owner in set(self._bodies)}
        scores = [
            self._task.probabilities(cast(Network, network).head(features[owner]), self._loss)
            for network, owner in zip(self.networks, self._bodies, strict=True)
        ]
        return torch.stack(scores).mean(dim=0)
