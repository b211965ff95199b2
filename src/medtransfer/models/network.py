"""Batches of one size: kernels are chosen by shape, so what a row gives then does not depend on its neighbours; Named tensors into a module, with what plain dicts, safetensors and old files leave out of a state dict; The network that is trained: pixels, normalisation, a backbone's body, and a head."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

BATCH = 32


def pad_batch(inputs: torch.Tensor) -> torch.Tensor:
    """Repeat the last of at most 32 inputs until there are 32."""
    missing = BATCH - len(inputs)
    return inputs if missing == 0 else torch.cat([inputs, inputs[-1:].expand(missing, *inputs.shape[1:])])


def load_tensors(module: nn.Module, tensors: Mapping[str, torch.Tensor], strict: bool = True) -> None:
    """Load tensors into a module, in place, as `load_state_dict` does.

    A state dict of torch carries the version of every layer's layout beside its tensors. A plain dict does not, and
    MNASNet refuses one without; tensors whose names and shapes are the module's are of the module's version.
    """
    state = OrderedDict(tensors)
    state._metadata = module.state_dict()._metadata  # type: ignore[attr-defined]
    module.load_state_dict(state, strict=strict)


def with_counters(tensors: Mapping[str, torch.Tensor], module: nn.Module) -> dict[str, torch.Tensor]:
    """Add batch norm's counters where they are missing, from 0, as torch does: files of before 0.4.1 lack them."""
    own = {name: tensor for name, tensor in module.state_dict().items() if name.endswith(".num_batches_tracked")}
    missing = {name: torch.zeros_like(tensor) for name, tensor in own.items() if name not in tensors}
    return dict(tensors) | missing


AUXILIARY_WEIGHT = {"GoogLeNet": 0.3, "Inception3": 0.4}
"""What each auxiliary head's loss counts: Szegedy et al. 2015 (0.3); torchvision's reference training (0.4)."""


class Normalise(nn.Module):
    """uint8 pixels to what a backbone expects: three channels, mean and standard deviation of the channel.

    A grey image is repeated three times, which is what the first convolution's kernels summed over their
    inputs would see.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, 3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map uint8 [n, 1 or 3, height, width] to float32 [n, 3, height, width], laid out with channels last.

        Both ways give the bits of (pixels / 255 - mean) / std, several times faster than broadcasting would.
        """
        last = pixels.permute(0, 2, 3, 1)
        mean, std = self.mean.flatten(), self.std.flatten()
        if last.shape[-1] == 1:  # each grey value has three answers: look them up
            greys = torch.arange(256, dtype=torch.float32, device=pixels.device)[:, None] / 255.0
            images = functional.embedding(last[..., 0].int(), (greys - mean) / std)
        else:  # in whole rows of pixels, for three values at a time are no vectors
            width = last.shape[2]
            images = last.flatten(2).to(torch.float32).div_(255.0).sub_(mean.repeat(width)).div_(std.repeat(width))
            images = images.view(last.shape)
        return images.permute(0, 3, 1, 2)


class Network(nn.Module):
    """Normalisation, body and head in a row.

    `body` maps normalised images to features [n, width]; a body in train mode may return a tuple of its
    features and the logits of its auxiliary heads. `head` maps features to logits [n, classes].
    `frozen` lists the modules that stay in eval mode whatever `train` says: see `freezing`; `body_frozen` says whether
    all of the body is among them. `weights_sha256`
    is the hash of the file that the body's frozen tensors came from; None where they came from none.
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
        """Map pixels to logits and those of the auxiliary heads, of which most backbones have none."""
        outputs = self.body(self.normalise(pixels))
        if not isinstance(outputs, tuple):
            return self.head(outputs), []
        return self.head(outputs[0]), [logits for logits in outputs[1:] if logits is not None]

    @property
    def auxiliary_weight(self) -> float:
        """Give what each auxiliary head's loss counts beside the main one."""
        return AUXILIARY_WEIGHT.get(type(self.body).__name__, 0.0)

    def train(self, mode: bool = True) -> Network:
        """Switch to train or eval mode; frozen modules, their batch norms among them, stay in eval mode."""
        frozen = {id(module) for module in self.frozen}
        parts = [self.normalise, self.head] if self.body_frozen and not self.body.training else list(self.children())
        for module in (self, *(module for part in parts for module in part.modules())):
            wanted = mode and id(module) not in frozen
            if module.training != wanted:  # setting an attribute of a module takes longer than looking at it
                module.training = wanted
        return self


def to_channels_first(pixels: np.ndarray) -> torch.Tensor:
    """Turn packed pixels [n, size, size, channels] into a tensor [n, channels, size, size], sharing memory."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)


def to_channels_last(module: nn.Module) -> None:
    """Lay convolution weights out with their channels last, in place: the faster order on CPUs and tensor cores."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def count_multiply_adds(network: Network, image_size: int) -> int:
    """Count the multiply-adds of one image's way through body and head."""
    device = next(network.parameters()).device
    pixels = torch.zeros(1, 1, image_size, image_size, dtype=torch.uint8, device=device)
    training = network.training
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(pixels)
    network.train(training)
    return int(counter.get_total_flops()) // 2
