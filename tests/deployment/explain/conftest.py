"""Networks with maps that can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from medtransfer.deployment.explain.blocks import open_block
from medtransfer.deployment.explain.explainer import Explainer
from medtransfer.models.network import Network, Normalise

SIZE = 16


def bright_or_dark() -> Network:
    """Return a network with two channels, brightness and darkness, each the evidence for the class of its number.

    Class 0 gets 8 times the mean brightness, class 1 as much of the mean darkness; pixels count from 0 to 1.
    """
    lift = nn.Conv2d(3, 2, 1)
    lift.weight.data = torch.tensor([[1 / 3] * 3, [-1 / 3] * 3]).view(2, 3, 1, 1)
    lift.bias.data = torch.tensor([0.0, 1.0])
    body = nn.Sequential(lift, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    head = nn.Linear(2, 2)
    head.weight.data, head.bias.data = 8 * torch.eye(2), torch.zeros(2)
    return Network(Normalise((0.0,) * 3, (1.0,) * 3), body, head).eval()


@pytest.fixture
def explainer() -> Explainer:
    """Return an explainer of the network."""
    network = bright_or_dark()
    return Explainer(network, open_block(network, None, SIZE, "here"), lambda logits: logits.softmax(dim=1))


@pytest.fixture
def squares() -> tuple[np.ndarray, np.ndarray]:
    """Return six dark images uint8 [6, 16, 16, 1] with one bright square each, and the masks of the squares."""
    rng = np.random.default_rng(5)
    pixels, masks = np.full((6, SIZE, SIZE, 1), 20, np.uint8), np.zeros((6, SIZE, SIZE), bool)
    for image, mask in zip(pixels, masks, strict=True):
        row, column = 2 * rng.integers(0, (SIZE - 4) // 2, 2)  # where windows begin
        image[row : row + 4, column : column + 4] = 250
        mask[row : row + 4, column : column + 4] = True
    return pixels, masks
