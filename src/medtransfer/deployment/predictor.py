"""A trained variant that predicts any images, exactly as `evaluate` predicts those of a prepared set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from medtransfer.augmentation.tta import TestTimeViews, moved_back
from medtransfer.deployment.trained import load_run
from medtransfer.features.embedder import embedder_of, fingerprint
from medtransfer.models.network import Network, to_channels_first
from medtransfer.study import Loss, Variant
from medtransfer.tasks import TASKS, Task
from medtransfer.training.model_files import read_card
from medtransfer.training.prediction import batch_logits
from medtransfer.util.compute import Compute

Run = tuple[int, int]
"""Fold and seed of a run."""


class Predictor:
    """Runs of a trained variant in memory; those with equal frozen layers compute the outputs of these once.

    The answer for an image is bit-identical to that of `evaluate` on the same device, whatever the other images in its
    batch: it is computed by the same functions, in batches of one size, and in eval mode images do not interact.
    views: the number of views of each image whose predictions are averaged; see `TestTimeViews`.
    """

    def __init__(self, model: Path, runs: Sequence[Run], compute: Compute, views: int = 1) -> None:
        card = read_card(model)
        variant = Variant.from_card(card)
        strategy, size = variant.strategy, card["image_size"]
        self._views = TestTimeViews(variant.policy, card["study_seed"], views, size) if views > 1 else None
        self.task, self._loss, self._compute = TASKS[card["task"]], strategy.loss, compute
        self.networks = [load_run(model, fold, seed).to(compute.device) for fold, seed in runs]
        if not strategy.trains_backbone:
            first: dict[str, Network] = {}
            for network in self.networks:
                owner = first.setdefault(fingerprint(network), network)
                network.normalise, network.body = owner.normalise, owner.body
        self._embedders = [
            None if self.task.per_pixel else embedder_of(network, size, compute) for network in self.networks
        ]

    def answers(self, pixels: np.ndarray) -> np.ndarray:
        """Return the joint answers of all runs for packed images: probabilities [n, classes], or masks uint8 [n, h, w].

        pixels: uint8 [n, size, size, channels], n at most 32.
        """
        return self.task.joint_answers(self.logits(pixels), self._loss)

    def logits(self, pixels: np.ndarray) -> list[torch.Tensor]:
        """Return the logits of each run for packed images, n at most 32; with several views, of each view and run."""
        if self._views is None:
            return self._logits_of(pixels)
        found = []
        for view in range(self._views.count):
            drawn, places = self._views.draw(pixels, view)
            logits = self._logits_of(drawn)
            found += [moved_back(each, places) for each in logits] if self.task.per_pixel else logits
        return found

    def _logits_of(self, pixels: np.ndarray) -> list[torch.Tensor]:
        activations: dict[str, torch.Tensor] = {}
        found = []
        for network, embedder in zip(self.networks, self._embedders, strict=True):
            if embedder is None:
                found.append(batch_logits(network, to_channels_first(pixels), self._compute))
                continue
            if embedder.key not in activations:
                activations[embedder.key] = embedder.activations(pixels)
            found.append(batch_logits(embedder.rest, activations[embedder.key], self._compute))
        return found

    def mean_probabilities(self, pixels: np.ndarray) -> torch.Tensor:
        """Return the mean over runs of the probabilities for packed images, float64 [n, outputs, ...], n at most 32."""
        each = [self.task.probabilities(logits, self._loss) for logits in self.logits(pixels)]
        return torch.stack(each).double().mean(dim=0)

    def as_module(self) -> Ensemble:
        """Return all runs as one self-contained module, on the CPU and in float32."""
        return Ensemble(self.networks, self.task, self._loss).cpu().eval()


def joint_answers(predictors: Sequence[Predictor], pixels: np.ndarray) -> np.ndarray:
    """Return the answers of several variants of one task for packed images, n at most 32; each has the same weight."""
    if len(predictors) == 1:
        return predictors[0].answers(pixels)
    mean = torch.stack([predictor.mean_probabilities(pixels) for predictor in predictors]).mean(dim=0)
    return np.asarray(mean.argmax(dim=1).byte() if predictors[0].task.per_pixel else mean.float())


class Ensemble(nn.Module):
    """Runs of a trained variant as one module, from pixels to the mean of their probabilities, for export."""

    def __init__(self, networks: Sequence[Network], task: Task, loss: Loss) -> None:
        super().__init__()
        self.networks, self._task, self._loss = nn.ModuleList(networks), task, loss
        bodies = [(id(network.normalise), id(network.body)) for network in networks]
        self._owners = [bodies.index(body) for body in bodies]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map uint8 pixels [n, channels, size, size] to probabilities float32 [n, outputs] or [n, outputs, h, w]."""
        features = {owner: cast(Network, self.networks[owner]).features(pixels) for owner in set(self._owners)}
        scores = [
            self._task.probabilities(cast(Network, network).head(features[owner]), self._loss)
            for network, owner in zip(self.networks, self._owners, strict=True)
        ]
        return torch.stack(scores).mean(dim=0)
