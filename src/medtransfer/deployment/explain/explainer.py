"""An explainer: a trained network that maps the evidence for a class."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from medtransfer.deployment.explain.blocks import Block, open_block
from medtransfer.deployment.explain.methods import METHODS
from medtransfer.models.network import Network, to_channels_first
from medtransfer.study import Variant
from medtransfer.tasks import TASKS
from medtransfer.util.compute import Compute

BATCH = 8
"""The number of images mapped at once."""


@dataclass(frozen=True)
class Explainer:
    """A network in eval mode, the block whose activations are mapped, and the probabilities of its logits."""

    network: Network
    block: Block
    probabilities: Callable[[torch.Tensor], torch.Tensor]

    def maps(self, method: str, pixels: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Map the evidence for `classes` [n] in packed images uint8 [n, size, size, channels].

        Returns float32 [n, size, size], 0 without evidence; only ratios within a map are meaningful.
        """
        found = []
        for start in range(0, len(pixels), BATCH):
            part = slice(start, start + BATCH)
            inputs = to_channels_first(np.array(pixels[part])).to(next(self.network.parameters()).device)
            maps = METHODS[method].compute(self, inputs, torch.from_numpy(classes[part]).to(inputs.device))
            found.append(maps.clamp(min=0)[:, 0].float().cpu().numpy())
        return np.concatenate(found)


def open_explainer(
    network: Network, card: dict[str, Any], block: str | None, where: str, compute: Compute
) -> Explainer:
    """Make an explainer of a copy of a network, for the last spatial block or the one named; see `open_block`."""
    network = deepcopy(network).to(compute.device).eval()
    opened = open_block(network, block, card["image_size"], where)
    loss, task = Variant.from_card(card).strategy.loss, TASKS[card["task"]]
    return Explainer(network, opened, lambda logits: task.probabilities(logits, loss))
