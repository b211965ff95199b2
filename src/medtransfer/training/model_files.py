"""A trained variant on disk: one card, the weights it started from, and what each run changed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from medtransfer.models.assemble import Weights
from medtransfer.models.network import Network, Normalise, load_tensors
from medtransfer.models.weights import WeightsCard, save_state
from medtransfer.study import Variant
from medtransfer.tasks.training import TASKS

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
    base = _as_body(weights.state or {})
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


def load_run(folder: Path, fold: int, seed: int) -> Network:
    """Rebuild the network of a run from a variant's folder alone, in eval mode, every tensor as it was."""
    card = read_card(folder)
    weights = _read_base(folder, (folder / CARD).stat().st_mtime_ns)
    run = load_file(folder / f"{run_name(fold, seed)}.safetensors")
    variant = Variant.from_card(card)
    strategy = variant.strategy
    if weights.state is None:  # the run's file holds every tensor
        variant = replace(variant, strategy=strategy.model_copy(update={"init": "random"}))
    identity = Normalise((0.0,) * 3, (1.0,) * 3)
    task = TASKS[card["task"]]
    network = task.assemble(variant, weights, len(card["classes"]), card["image_size"], identity, (seed, fold))
    if weights.card.transform_input and strategy.init == "pretrained":
        network.body.transform_input = True  # type: ignore[assignment]
    own = network.state_dict()
    load_tensors(network, {name: tensor for name, tensor in _as_body(weights.state or {}).items() if name in own} | run)
    return network.eval()


@lru_cache(maxsize=1)
def _read_base(folder: Path, _changed: int) -> Weights:
    """Read the weights that all runs of a folder share; `_changed` is the time of its last change."""
    card = WeightsCard.model_validate(read_card(folder)["weights"])
    return Weights(load_file(folder / BASE) if (folder / BASE).exists() else None, card, folder / BASE)


def _as_body(state: Tensors) -> Tensors:
    return {f"body.{name}": tensor for name, tensor in state.items()}
