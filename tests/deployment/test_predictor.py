"""Predictions of images in any order and number equal those of `evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from builders import COMPUTE, tiny_inputs, tiny_pairs, tiny_prepared

from medtransfer.data.prepared import Prepared
from medtransfer.deployment.predictor import Predictor
from medtransfer.deployment.trained import predict_variant
from medtransfer.tasks.masks.predictions import decode_mask
from medtransfer.training.losses import probabilities
from medtransfer.training.variant import train_variant
from medtransfer.util.compute import Compute

RUNS = [(fold, seed) for fold in (0, 1) for seed in (0, 1)]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return tiny_prepared(tmp_path_factory.mktemp("set"), folds=2)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return tiny_pairs(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(autouse=True)
def own_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def trained(prepared: Prepared, folder: Path, **strategy: Any) -> Path:
    inputs = tiny_inputs(prepared, **{"epochs": 1} | strategy)
    train_variant(inputs, folder / "model", folder / "cost.json", lambda *_: None)
    return folder / "model"


@pytest.mark.parametrize(
    "strategy",
    [
        {"train": "all"},
        {"train": "all", "head": "own", "loss": "binary_cross_entropy"},
        {"train": "head"},
        {"train": "head", "head": "knn"},
        {"train": "head", "head": "prototypes", "shots": 2},
    ],
    ids=lambda strategy: f"{strategy['train']} {strategy.get('head')}",
)
def test_probabilities_are_bit_identical_to_those_of_evaluate_in_any_order(
    prepared: Prepared, tmp_path: Path, strategy: dict[str, Any]
) -> None:
    model = trained(prepared, tmp_path, **strategy)
    inputs = tiny_inputs(prepared, **{"epochs": 1} | strategy)
    rows = np.resize(np.random.default_rng(0).permutation(prepared.roles(0).test), 37)
    for precision in ("float32", "bfloat16"):
        compute = Compute(COMPUTE.device, precision)
        truth = pd.concat(list(predict_variant(inputs.variant, prepared, model, compute)))
        predictor = Predictor(model, RUNS, compute)
        logits = [predictor.logits(prepared.images[part]) for part in (rows[:32], rows[32:])]
        for number, (fold, seed) in enumerate(RUNS):
            found = probabilities(torch.cat([batch[number] for batch in logits]), inputs.variant.strategy.loss)
            run = truth[(truth["fold"] == fold) & (truth["seed"] == seed)].set_index("path")
            expected = run.loc[prepared.table["path"].iloc[rows]].filter(like="p_").to_numpy(np.float32)
            assert np.array_equal(found.numpy().view(np.uint32), expected.view(np.uint32))


@pytest.mark.parametrize("train_part", ["all", "head"])
def test_masks_are_identical_to_those_of_evaluate(pairs: Prepared, tmp_path: Path, train_part: str) -> None:
    model = trained(pairs, tmp_path, train=train_part, loss="dice")
    variant = tiny_inputs(pairs, train=train_part, loss="dice").variant
    truth = pd.concat(list(predict_variant(variant, pairs, model, COMPUTE)))
    rows = np.random.default_rng(0).permutation(pairs.roles(0).test)
    for seed in (0, 1):
        run = truth[truth["seed"] == seed].set_index("path").loc[pairs.table["path"].iloc[rows]]
        expected = np.stack([decode_mask(mask) for mask in run["mask"]])
        assert np.array_equal(Predictor(model, [(0, seed)], COMPUTE).answers(pairs.images[rows]), expected)


def test_runs_with_the_same_frozen_body_share_it(prepared: Prepared, tmp_path: Path) -> None:
    frozen = Predictor(trained(prepared, tmp_path / "frozen", train="head", head="prototypes"), RUNS[:2], COMPUTE)
    assert len({id(network.body) for network in frozen.networks}) == len(frozen.networks)  # random: one a seed
    again = Predictor(tmp_path / "frozen/model", [RUNS[0], RUNS[0]], COMPUTE)
    assert again.networks[0].body is again.networks[1].body
    assert again.networks[0].head is not again.networks[1].head
