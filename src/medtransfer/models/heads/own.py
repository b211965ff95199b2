"""The backbone's own classifier."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from torch import nn

from medtransfer.models.heads import HEADS, Head


@HEADS.entry("own")
class OwnHead(Head, nn.Sequential):
    """A copy of the backbone's own classifier, with its last layer replaced by a new one with `classes` outputs.

    A classifier that is one dense layer takes features of any width, such as those of another pooling than its own. A
    convolutional one (SqueezeNet) gets its flattened input unfolded again, which is taken to be square.
    dropout: the probability of every dropout layer; None keeps those of the backbone.
    """

    keeps_spatial = True

    def __init__(
        self, width: int, classes: int, *, classifier: Sequence[nn.Module], dropout: float | None = None
    ) -> None:
        layers = copy.deepcopy(list(classifier))
        last = max(index for index, layer in enumerate(layers) if isinstance(layer, nn.Linear | nn.Conv2d))
        only = isinstance(layers[last], nn.Linear) and sum(isinstance(layer, nn.Linear) for layer in layers) == 1
        layers[last] = with_outputs(layers[last], classes, width if only else None)
        convolution = next((layer for layer in layers if isinstance(layer, nn.Conv2d)), None)
        if convolution is not None:
            side = round((width // convolution.in_channels) ** 0.5)
            layers = [nn.Unflatten(1, (convolution.in_channels, side, side)), *layers, nn.Flatten()]
        super().__init__(*layers)
        for module in self.modules():
            if isinstance(module, nn.Dropout) and dropout is not None:
                module.p = dropout


def with_outputs(layer: nn.Module, outputs: int, inputs: int | None = None) -> nn.Module:
    """Build a dense layer or 1x1 convolution like `layer`, with new weights and other numbers of outputs and inputs."""
    if isinstance(layer, nn.Linear):
        return nn.Linear(inputs or layer.in_features, outputs, bias=layer.bias is not None)
    if not isinstance(layer, nn.Conv2d) or layer.kernel_size != (1, 1):
        raise TypeError(f"expected a dense layer or a 1x1 convolution as the classifier, but got {layer}")
    return nn.Conv2d(layer.in_channels, outputs, 1, bias=layer.bias is not None)
