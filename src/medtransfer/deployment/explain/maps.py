"""Maps of what speaks for a class in an image: by gradients, by ablating channels, by covering parts of the image."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from captum.attr import LayerActivation, LayerAttribution, LayerFeatureAblation, LayerGradCam, Occlusion

from medtransfer.deployment.explain.blocks import Block, open_block
from medtransfer.models.network import Network, to_channels_first
from medtransfer.study import Variant
from medtransfer.tasks import TASKS
from medtransfer.util.compute import Compute

BATCH, COVERED = 8, 8
"""How many images are mapped at once, and how many covered copies of each go through the network together."""

WINDOWS = 7
"""How often the step of the covering window goes into the side of the image; the window is twice as wide."""


@dataclass(frozen=True)
class Explainer:
    """A network in eval mode, the block whose activations are mapped, and how logits become probabilities."""

    network: Network
    block: Block
    probabilities: Callable[[torch.Tensor], torch.Tensor]

    def maps(self, method: str, pixels: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Map what speaks for class `classes` [n] in packed images uint8 [n, size, size, channels].

        Gives float32 [n, size, size], 0 where nothing does; only ratios within a map mean anything.
        """
        found = []
        for start in range(0, len(pixels), BATCH):
            part = slice(start, start + BATCH)
            inputs = to_channels_first(np.array(pixels[part])).to(next(self.network.parameters()).device)
            maps = COMPUTE[method](self, inputs, torch.from_numpy(classes[part]).to(inputs.device))
            found.append(maps.clamp(min=0)[:, 0].float().cpu().numpy())
        return np.concatenate(found)


def open_explainer(
    network: Network, card: dict[str, Any], block: str | None, where: str, compute: Compute
) -> Explainer:
    """Open the block of a copy of a variant's network, whose body may be another's too; see `open_block` for errors."""
    network = deepcopy(network).to(compute.device).eval()
    opened = open_block(network, block, card["image_size"], where)
    loss, task = Variant.from_card(card).strategy.loss, TASKS[card["task"]]
    return Explainer(network, opened, lambda logits: task.probabilities(logits, loss))


def grad_cam(explainer: Explainer, inputs: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Weigh the block's channels by the mean gradient of the class's logit: Selvaraju et al. 2017, "Grad-CAM"."""
    method = LayerGradCam(explainer.network, explainer.block.grid)
    maps = method.attribute(inputs, target=classes, relu_attributions=True).detach()
    return _enlarged(maps, inputs)


def ablation_cam(explainer: Explainer, inputs: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Weigh the block's channels by how much the class's logit falls without each; no gradients.

    Ramaswamy and Desai 2020, "Ablation-CAM: Visual Explanations for Deep Convolutional Network via Gradient-free
    Localization"; the fall is not divided by the logit, which would turn the map's sign with that of the logit.
    """
    network, grid = explainer.network, explainer.block.grid
    with torch.no_grad():
        activations = LayerActivation(network, grid).attribute(inputs)
        channels = torch.arange(activations.shape[1], device=inputs.device).view(1, -1, 1, 1)
        falls = LayerFeatureAblation(network, grid).attribute(
            inputs,
            target=classes,
            layer_mask=channels.expand(1, *activations.shape[1:]),
        )
    maps = (falls * activations).sum(dim=1, keepdim=True).clamp(min=0)
    return _enlarged(maps, inputs)


def occlusion(explainer: Explainer, inputs: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Cover the image, window by window, with its mean grey, and see how much the class's probability falls.

    Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks". Neither gradients nor a block
    are needed; where windows overlap a pixel has their mean.
    """

    def probability(images: torch.Tensor) -> torch.Tensor:
        return explainer.probabilities(explainer.network(images.to(torch.uint8)))

    _, channels, size, _ = inputs.shape
    step = max(size // WINDOWS, 1)
    grey = (explainer.network.normalise.mean * 255).round().to(inputs.device)
    with torch.no_grad():
        maps = Occlusion(probability).attribute(
            inputs.float(),
            sliding_window_shapes=(channels, 2 * step, 2 * step),
            strides=(channels, step, step),
            baselines=grey[:, :channels].expand(1, channels, size, size),
            target=classes,
            perturbations_per_eval=COVERED,
        )
    return maps.mean(dim=1, keepdim=True)


COMPUTE = {"grad_cam": grad_cam, "ablation_cam": ablation_cam, "occlusion": occlusion}


def _enlarged(maps: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    return LayerAttribution.interpolate(maps, tuple(inputs.shape[2:]), "bilinear")
