"""Trainings of a frozen, pretrained network, and what they are compared by."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from builders import COMPUTE, pretrained, tiny_inputs

from medtransfer.data.prepared import Prepared
from medtransfer.deployment.trained import load_run, predict_variant
from medtransfer.training.loop import Epoch
from medtransfer.training.runs import Inputs
from medtransfer.training.variant import train_variant

FLIPS = {"transforms": [{"HorizontalFlip": {"p": 0.5}}], "views": 2}
CUTMIX, MIXUP = (FLIPS | {"mix": {"method": method}} for method in ("cutmix", "mixup"))
FRESH = CUTMIX | {"views": "fresh"}

ROUNDING = {"rtol": 1e-3, "atol": 1e-4}
"""How far two trainings that compute the same in another order may end apart.

Each step rounds to 6e-8 of a value; what hundreds of steps make of it depends on the processor. Up to 3e-5 was seen.
Another batch, view or rate moves probabilities by more than 1e-2.
"""


def inputs_of(
    prepared: Prepared, folder: Path, policy: dict[str, Any], model: str = "mobilenet_v3_small", **strategy: Any
) -> Inputs:
    fields = {"train": "head", "init": "pretrained", **strategy}
    return pretrained(tiny_inputs(prepared, policy, **fields), folder / "weights", model)


def train(inputs: Inputs, folder: Path) -> list[tuple[int, int, Epoch]]:
    heard: list[tuple[int, int, Epoch]] = []
    train_variant(inputs, folder / "model", folder / "cost.json", lambda *epoch: heard.append(epoch))
    return heard


def history_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "model" / "history.csv").set_index(["fold", "seed"])


def predictions(inputs: Inputs, folder: Path) -> np.ndarray:
    frame = pd.concat(predict_variant(inputs.variant, inputs.prepared, folder / "model", COMPUTE))
    return frame[[column for column in frame if column.startswith("p_")]].to_numpy()


def assert_same_results(inputs: Inputs, one: Path, other: Path) -> None:
    """Compare probabilities and histories of all runs, and every tensor of linear heads.

    In front of a batch norm, or of a hidden unit that is off, gradients are nothing but rounding errors, of which Adam
    makes steps of the learning rate; what is predicted does not depend on them.
    """
    np.testing.assert_allclose(predictions(inputs, one), predictions(inputs, other), rtol=0, atol=ROUNDING["atol"])
    histories = [pd.read_csv(folder / "model" / "history.csv") for folder in (one, other)]
    np.testing.assert_allclose(*(history.to_numpy(float) for history in histories), **ROUNDING)
    if inputs.variant.strategy.trains_backbone or inputs.variant.strategy.head != "linear":
        return
    for fold, seed in itertools.product(range(inputs.prepared.folds), inputs.seeds):
        states = [load_run(folder / "model", fold, seed).state_dict() for folder in (one, other)]
        for name, tensor in states[0].items():
            torch.testing.assert_close(tensor, states[1][name], **ROUNDING)
