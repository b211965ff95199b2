"""Bodies that return all tokens of an image, or pooled tokens of their last blocks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import nn

from medtransfer.study import Features
from medtransfer.util.errors import UserError


class Places(nn.Sequential):
    """The layers of a convolutional network up to its last map [n, width, rows, columns], whose places are tokens.

    transform_input: whether images are normalised again as torchvision's ports from TensorFlow expect.
    """

    def __init__(self, layers: Mapping[str, nn.Module], transform_input: bool = False) -> None:
        super().__init__()
        self.transform_input = transform_input
        for name, layer in layers.items():
            self.add_module(name, nn.Sequential(*layer) if isinstance(layer, nn.ModuleList) else layer)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images [n, 3, h, w] to tokens [n, places, width]."""
        if self.transform_input:
            from medtransfer.models.torchvision_models import models

            images = models().GoogLeNet._transform_input(self, images)
        return tokens_of(super().forward(images))


class ForwardFeatures(nn.Module):
    """A model of timm without its pooling: its tokens with the class token and registers, or the places of its map."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images [n, 3, h, w] to tokens [n, tokens, width]."""
        body = cast(Any, self.body)
        return tokens_of(body.forward_features(images), channels_last=str(getattr(body, "output_fmt", "")) == "NHWC")


class BlockFeatures(nn.Module):
    """The class tokens, then the mean patch tokens, of the last `blocks` blocks of a transformer, concatenated.

    A subclass returns them from `last_blocks`. Raises `UserError` if the model has fewer blocks.
    """

    def __init__(self, body: nn.Module, blocks: int, width: int, depth: int, has_token: bool) -> None:
        super().__init__()
        if blocks > depth:
            raise UserError(f"features: {type(body).__name__} has {depth} blocks, not {blocks}")
        self.body, self.blocks, self.width, self.has_token = body, blocks, width, has_token

    @abstractmethod
    def last_blocks(self, images: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return of each block the patch tokens [n, patches, width] and the others [n, others, width], normalised."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images [n, 3, h, w] to features [n, blocks * width], or twice as many with a class token."""
        found = self.last_blocks(images)
        tokens = [others[:, 0] for _, others in found] if self.has_token else []
        return torch.cat([*tokens, *(patches.mean(dim=1) for patches, _ in found)], dim=1)

    def spans(self, features: Features) -> list[tuple[int, int]]:
        """Return the columns, from and to, of some features. Raises `UserError` if the model has no class token."""
        total = self.blocks * self.width
        tokens = (total - features.blocks * self.width, total)
        start = total if self.has_token else 0
        means = (start + total - features.blocks * self.width, start + total)
        if features.pooling == "avg":
            return [means]
        if not self.has_token:
            raise UserError(f"features: {type(self.body).__name__} has no class token; use pooling: avg")
        return [tokens] if features.pooling == "token" else [tokens, (means[1] - self.width, means[1])]

    def extra_repr(self) -> str:
        """Name the number of blocks: cached features are keyed by the text of the network."""
        return f"blocks={self.blocks}"


class TimmBlocks(BlockFeatures):
    """The blocks of a transformer of timm. Raises `UserError` for other models."""

    def __init__(self, body: nn.Module, blocks: int) -> None:
        model = cast(Any, body)
        if not hasattr(body, "num_prefix_tokens") or not hasattr(body, "forward_intermediates"):
            raise UserError(f"features: {type(body).__name__} is not a transformer of tokens")
        has_token = getattr(body, "cls_token", None) is not None
        super().__init__(body, blocks, model.num_features, len(model.blocks), has_token)

    def last_blocks(self, images: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """See `BlockFeatures`; models that normalise after pooling have their norm applied to tokens, too."""
        body = cast(Any, self.body)
        options = {"norm": True, "output_fmt": "NLC", "intermediates_only": True, "return_prefix_tokens": True}
        found = body.forward_intermediates(images, indices=self.blocks, **options)
        pairs = found if body.num_prefix_tokens else [(patches, patches) for patches in found]
        return [(body.fc_norm(patches), body.fc_norm(others)) for patches, others in pairs]


class Select(nn.Module):
    """Keep some columns of features [..., width]; spans: from and to, in order."""

    def __init__(self, spans: list[tuple[int, int]]) -> None:
        super().__init__()
        self.spans = spans

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the columns [..., selected]."""
        return torch.cat([features[..., start:stop] for start, stop in self.spans], dim=-1)

    def extra_repr(self) -> str:
        """Name the columns."""
        return f"{self.spans}"


def tokens_of(values: torch.Tensor, channels_last: bool = False) -> torch.Tensor:
    """Return tokens [n, tokens, width] as they are, and the places of a map [n, width, rows, columns] as tokens."""
    if values.ndim == 3:
        return values
    return values.flatten(1, 2) if channels_last else values.flatten(2).transpose(1, 2)
