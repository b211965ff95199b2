"""The files of a trained variant: its card, the weights it started from, and the tensors that each run changed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from medtransfer.models.assemble import Weights
from medtransfer.models.network import Network
from medtransfer.models.weights import save_state
from medtransfer.util.files import read_json

CARD, BASE, HISTORY, TRIALS = "card.json", "base.safetensors", "history.csv", "trials.csv"
Tensors = dict[str, torch.Tensor]


def save_run(folder: Path, network: Network, weights: Weights, run: str) -> None:
    """Write the tensors of a run that differ from the weights it started from.

    A frozen body thus takes no space except for `base.safetensors`, a copy of the weights stage's file that DVC stores
    once for all variants.
    """
    state = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
    base = as_body(weights.state or {})
    changed = {
        name: tensor
        for name, tensor in state.items()
        if name not in base or base[name].shape != tensor.shape or not torch.equal(base[name], tensor)
    }
    save_state(changed, folder / f"{run}.safetensors")
    if len(changed) < len(state) and weights.file is not None and not (folder / BASE).exists():
        shutil.copyfile(weights.file, folder / BASE)


def read_card(folder: Path) -> dict[str, Any]:
    """Read the card of a trained variant."""
    card: dict[str, Any] = read_json(folder / CARD)
    return card


def as_body(state: Tensors) -> Tensors:
    """Return the weights of a backbone by their names in a `Network`, whose body may be a wrapper of the backbone."""
    return {f"{prefix}{name}": tensor for prefix in ("body.", "body.body.") for name, tensor in state.items()}
