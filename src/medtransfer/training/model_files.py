"""A trained variant on disk: one card, the weights it started from, and what each run changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from medtransfer.models.assemble import Weights
from medtransfer.models.network import Network
from medtransfer.models.weights import save_state

CARD, BASE, HISTORY = "card.json", "base.safetensors", "history.csv"
Tensors = dict[str, torch.Tensor]


def run_name(fold: int, seed: int) -> str:
    """Name the run of a fold and a seed."""
    return f"fold{fold}_seed{seed}"


def save_run(folder: Path, network: Network, weights: Weights, fold: int, seed: int) -> None:
    """Write every tensor of a run that differs from the weights it started from.

    A frozen body thus costs nothing beside `base.safetensors`, a copy of the weights stage's file that DVC
    keeps once for all variants.
    """
    state = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
    base = as_body(weights.state or {})
    changed = {
        name: tensor
        for name, tensor in state.items()
        if name not in base or base[name].shape != tensor.shape or not torch.equal(base[name], tensor)
    }
    save_state(changed, folder / f"{run_name(fold, seed)}.safetensors")
    if len(changed) < len(state) and weights.file is not None and not (folder / BASE).exists():
        shutil.copyfile(weights.file, folder / BASE)


def read_card(folder: Path) -> dict[str, Any]:
    """Read the card of a trained variant."""
    card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    return card


def as_body(state: Tensors) -> Tensors:
    """Return the weights of a backbone by their names in a `Network`."""
    return {f"body.{name}": tensor for name, tensor in state.items()}
