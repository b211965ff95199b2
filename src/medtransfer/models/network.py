"""The network that is trained: normalisation of pixels, the body of a backbone, and a head."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode, _FlopCounterMode

from medtransfer.models.trained_part import trained_part
from medtransfer.study import Strategy
from medtransfer.util.never_compiled import never_compiled

never_compiled(_FlopCounterMode.__torch_dispatch__)

BATCH = 32
"""The size of every batch in eval mode: kernels are chosen by shape, so an output does not depend on the other rows."""


class Normalise(nn.Module):
    """Map uint8 pixels to the input of a backbone: three channels, less their mean, by their standard deviation.

    A grey image is repeated three times: the first convolution sees what its kernels, summed over their inputs, would.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, 3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map uint8 [n, 1 or 3, height, width] to float32 [n, 3, height, width] in channels-last layout.

        Both ways return the bits of (pixels / 255 - mean) / std, several times faster than broadcasting.
        """
        last = pixels.permute(0, 2, 3, 1)
        mean, std = self.mean.flatten(), self.std.flatten()
        if last.shape[-1] == 1:  # look the three results of each grey value up
            greys = torch.arange(256, dtype=torch.float32, device=pixels.device)[:, None] / 255.0
            images = functional.embedding(last[..., 0].int(), (greys - mean) / std)
        else:  # in whole rows of pixels: three values at a time are too few for vector instructions
            width = last.shape[2]
            images = last.flatten(2).to(torch.float32).div_(255.0).sub_(mean.repeat(width)).div_(std.repeat(width))
            images = images.view(last.shape)
        return images.permute(0, 3, 1, 2)


class Network(nn.Module):
    """Normalisation, body and head in a row.

    body: maps normalised images to features [n, width]; in train mode it may return a tuple of its features and the
    logits of its auxiliary heads. head: maps features to logits [n, classes]. frozen: the modules that stay in eval
    mode whatever `train` says; body_frozen: whether they include the whole body. weights_sha256: the hash of the file
    of the body's frozen tensors; None if they are from no file.
    """

    def __init__(self, normalise: Normalise, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.normalise = normalise
        self.body = body
        self.head = head
        self.frozen: list[nn.Module] = []
        self.body_frozen = False
        self.weights_sha256: str | None = None

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map uint8 pixels [n, channels, height, width] to features [n, width], without auxiliary outputs."""
        outputs = self.body(self.normalise(pixels))
        features: torch.Tensor = outputs[0] if isinstance(outputs, tuple) else outputs
        return features

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map uint8 pixels [n, channels, height, width] to logits [n, classes]."""
        logits: torch.Tensor = self.head(self.features(pixels))
        return logits

    def forward_with_auxiliary(self, pixels: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Map pixels to logits and to those of the auxiliary heads, which few backbones have."""
        outputs = self.body(self.normalise(pixels))
        if not isinstance(outputs, tuple):
            return self.head(outputs), []
        return self.head(outputs[0]), [logits for logits in outputs[1:] if logits is not None]

    @property
    def auxiliary_weight(self) -> float:
        """The weight of each auxiliary head's loss."""
        return float(getattr(self.body, "auxiliary_weight", 0.0))

    def freeze(self, strategy: Strategy) -> None:
        """Freeze what `strategy.train` does not train; see `trained_part`.

        Frozen parameters need no gradient. A module of which not all parameters train stays in eval mode, so that batch
        norms neither use nor update the statistics of a batch.
        """
        self.body_frozen = not strategy.trains_backbone
        if self.body_frozen:
            self.frozen = list(_freeze_whole(self.body))
            if strategy.train == "none":
                self.frozen += self.head.requires_grad_(False).modules()
        elif strategy.train != "all":
            modules, parameters = trained_part(self.body, strategy)
            self.frozen = [module for module in self.body.modules() if module not in modules]
            trained = set(parameters)
            for parameter in self.body.parameters():
                if parameter not in trained:
                    parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> Network:
        """Switch to train or eval mode; frozen modules, with their batch norms, stay in eval mode."""
        frozen = {id(module) for module in self.frozen}
        parts = [self.normalise, self.head] if self.body_frozen and not self.body.training else list(self.children())
        for module in (self, *(module for part in parts for module in part.modules())):
            wanted = mode and id(module) not in frozen
            if module.training != wanted:  # setting an attribute of a module takes longer than reading it
                module.training = wanted
        return self


@lru_cache(maxsize=1)  # the runs of a variant share their body
def _freeze_whole(body: nn.Module) -> tuple[nn.Module, ...]:
    return tuple(body.requires_grad_(False).modules())


def pad_batch(inputs: torch.Tensor) -> torch.Tensor:
    """Repeat the last of at most 32 inputs until there are 32."""
    missing = BATCH - len(inputs)
    return inputs if missing == 0 else torch.cat([inputs, inputs[-1:].expand(missing, *inputs.shape[1:])])


def load_tensors(module: nn.Module, tensors: Mapping[str, torch.Tensor], strict: bool = True) -> None:
    """Load tensors into a module, in place, as `load_state_dict` does.

    State dicts of torch also carry the version of each layer's layout, without which MNASNet refuses them; that of the
    module fits tensors of the same names and shapes.
    """
    state = OrderedDict(tensors)
    state._metadata = module.state_dict()._metadata  # type: ignore[attr-defined]
    module.load_state_dict(state, strict=strict)


def to_channels_first(pixels: np.ndarray) -> torch.Tensor:
    """View packed pixels [n, size, size, channels] as a tensor [n, channels, size, size]."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)


def to_channels_last(module: nn.Module) -> None:
    """Lay convolution weights out in channels-last order, in place, which is faster on CPUs and tensor cores."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def count_multiply_adds(network: Network, image_size: int) -> int:
    """Count the multiply-adds of one image in body and head."""
    device = next(network.parameters()).device
    pixels = torch.zeros(1, 1, image_size, image_size, dtype=torch.uint8, device=device)
    training, trained = network.training, [each for each in network.parameters() if each.requires_grad]
    network.eval()
    for parameter in trained:  # the counter looks for gradients of a query that is learned, even where there are none
        parameter.requires_grad_(False)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(pixels)
    for parameter in trained:
        parameter.requires_grad_(True)
    network.train(training)
    return int(counter.get_total_flops()) // 2
