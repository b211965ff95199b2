"""Explanation methods: by gradients, by ablating channels, by occluding parts of the image.

Nothing here imports torch at module level: pages show the titles of methods, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medtransfer.util.registry import Registry

if TYPE_CHECKING:
    import torch

    from medtransfer.deployment.explain.explainer import Explainer

Compute = Callable[["Explainer", "torch.Tensor", "torch.Tensor"], "torch.Tensor"]


@dataclass(frozen=True)
class Method:
    """An explanation method.

    title: its name in texts. needs_gradients: whether the head must be differentiable. compute: maps (explainer, pixels
    uint8 [n, channels, size, size], class numbers [n]) to float32 [n, 1, size, size], larger for more evidence.
    """

    title: str
    needs_gradients: bool
    compute: Compute


METHODS: Registry[Method] = Registry("explanation method")


def method(name: str, title: str, needs_gradients: bool = False) -> Callable[[Compute], Compute]:
    """Return a decorator that registers a function as an explanation method; see `Method`."""

    def add(compute: Compute) -> Compute:
        METHODS.register(name, Method(title, needs_gradients, compute))
        return compute

    return add


@method("grad_cam", "Grad-CAM", needs_gradients=True)
def grad_cam(explainer: Explainer, pixels: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Weight the block's channels by the mean gradient of the class's logit: Selvaraju et al. 2017, "Grad-CAM"."""
    from captum.attr import LayerGradCam

    layer = LayerGradCam(explainer.network, explainer.block.grid)
    return _enlarged(layer.attribute(pixels, target=classes, relu_attributions=True).detach(), pixels)


@method("ablation_cam", "Ablation-CAM")
def ablation_cam(explainer: Explainer, pixels: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Weight the block's channels by the drop of the class's logit without each.

    Ramaswamy and Desai 2020, "Ablation-CAM: Visual Explanations for Deep Convolutional Network via Gradient-free
    Localization", but without dividing the drop by the logit, whose sign would become that of the map.
    """
    import torch
    from captum.attr import LayerActivation, LayerFeatureAblation

    network, grid = explainer.network, explainer.block.grid
    with torch.no_grad():
        activations = LayerActivation(network, grid).attribute(pixels)
        channels = torch.arange(activations.shape[1], device=pixels.device).view(1, -1, 1, 1)
        mask = channels.expand(1, *activations.shape[1:])
        drops = LayerFeatureAblation(network, grid).attribute(pixels, target=classes, layer_mask=mask)
    return _enlarged((drops * activations).sum(dim=1, keepdim=True).clamp(min=0), pixels)


WINDOWS = 7
"""The number of steps of the occluding window per side of the image; the window is twice as wide as a step."""

OCCLUDED = 8
"""The number of occluded copies of each image that go through the network at once."""


@method("occlusion", "Occlusion")
def occlusion(explainer: Explainer, pixels: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Slide a window of the mean grey over the image and record the drop of the class's probability.

    Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks". Pixels in several windows get their
    mean. The block is not used.
    """
    import torch
    from captum.attr import Occlusion

    def probability(images: torch.Tensor) -> torch.Tensor:
        return explainer.probabilities(explainer.network(images.to(torch.uint8)))

    _, channels, size, _ = pixels.shape
    step = max(size // WINDOWS, 1)
    grey = (explainer.network.normalise.mean * 255).round().to(pixels.device)
    with torch.no_grad():
        maps = Occlusion(probability).attribute(
            pixels.float(),
            sliding_window_shapes=(channels, 2 * step, 2 * step),
            strides=(channels, step, step),
            baselines=grey[:, :channels].expand(1, channels, size, size),
            target=classes,
            perturbations_per_eval=OCCLUDED,
        )
    return maps.mean(dim=1, keepdim=True)


def _enlarged(maps: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    from captum.attr import LayerAttribution

    return LayerAttribution.interpolate(maps, tuple(pixels.shape[2:]), "bilinear")
