"""The tensors that cross from a frozen prefix to the rest of a network, as bytes on their way to disk and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Border:
    """One tensor [n, *shape] at the border.

    order: its dimensions behind the first, the one with the largest stride first. Tensors come back laid out as
    they were, for kernels, and so the last bits of their sums, differ by layout.
    """

    shape: tuple[int, ...]
    order: tuple[int, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, tensor: torch.Tensor) -> Border:
        """Describe a tensor whose first dimension is the images."""
        strides = tensor.stride()
        order = sorted(range(1, tensor.ndim), key=lambda dimension: -strides[dimension])
        return cls(tuple(tensor.shape[1:]), tuple(order), tensor.dtype)

    @property
    def row_bytes(self) -> int:
        """The size of one image's share."""
        return self.dtype.itemsize * torch.Size(self.shape).numel()

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        """Turn a tensor [n, *shape] into bytes, uint8 [n, row_bytes]."""
        if tensor.shape[1:] != self.shape or tensor.dtype != self.dtype:
            raise ValueError(f"expected {self}, but got {tuple(tensor.shape)} of {tensor.dtype}")
        return tensor.permute(0, *self.order).contiguous().flatten(1).view(torch.uint8)

    def unpack(self, rows: torch.Tensor) -> torch.Tensor:
        """Turn bytes uint8 [n, row_bytes] into the tensor they came from."""
        values = rows.contiguous().view(self.dtype).view(-1, *(self.shape[place - 1] for place in self.order))
        return values.permute(0, *(self.order.index(place) + 1 for place in range(1, values.ndim)))


def pack(tensors: Sequence[torch.Tensor], border: Sequence[Border]) -> torch.Tensor:
    """Turn the tensors at a border into bytes, uint8 [n, row_bytes]."""
    rows = [part.pack(tensor) for tensor, part in zip(tensors, border, strict=True)]
    return rows[0] if len(rows) == 1 else torch.cat(rows, dim=1)


def unpack(rows: torch.Tensor, border: Sequence[Border]) -> list[torch.Tensor]:
    """Turn bytes uint8 [n, row_bytes] into the tensors they came from."""
    parts = rows.split([part.row_bytes for part in border], dim=1)
    return [part.unpack(piece) for piece, part in zip(parts, border, strict=True)]
