"""Named tensors into a module, with what plain dicts, safetensors and old files leave out of a state dict."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import nn


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
