"""Heads trained together compared with each trained alone: the same results."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from builders import COMPUTE, slow, tiny_prepared
from frozen import CUTMIX, FLIPS, ROUNDING, assert_same_results, history_of, inputs_of, train

from medtransfer.data.prepared import Prepared
from medtransfer.deployment.trained import load_run, predict_variant
from medtransfer.training import heads_together, runs
from medtransfer.training.model_files import read_card
from medtransfer.util.places import run_name


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return tiny_prepared(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return tiny_prepared(tmp_path_factory.mktemp("folded"), method="kfold", folds=3)


def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "can_train_together", lambda *_: False)


@pytest.mark.parametrize(
    "strategy",
    [
        {"shots": 4},
        slow({"head": "mlp", "dropout": 0.4, "optimizer": "rmsprop", "weight_decay": 0.01, "lr": 1e-4}),
        {"head": "own", "patience": 1, "epochs": 20, "lr": 3e-3, "monitor": "score"},
        slow({"patience": 1, "resume_patience": 2, "epochs": 20, "lr": 5e-3, "optimizer": "sgd"}),
        {"schedule": {"kind": "plateau", "patience": 1}, "epochs": 8, "lr": 5e-3},
        slow({"loss": {"kind": "binary_cross_entropy", "class_weights": "balanced"}, "optimizer": "adamw"}),
        slow({"loss": {"class_weights": "balanced", "label_smoothing": 0.1}, "dropout": 0.2, "batch_size": 3}),
        {"head": "mlp", "head_batch_norm": True, "dropout": 0.2, "lr": 1e-4},
        {"sampler": "balanced", "loss": "focal"},
    ],
    ids=str,
)
@pytest.mark.parametrize("policy", [CUTMIX], ids=["cutmix"])
def test_heads_trained_together_are_those_trained_alone(
    folded: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: dict[str, Any], strategy: dict[str, Any]
) -> None:
    inputs = replace(inputs_of(folded, tmp_path, policy, **strategy), seeds=[0, 7])
    sizes = [len(folded.roles(fold).train) for fold in range(3)]
    assert len({size // 3 for size in sizes}) > 1, "folds with one number of batches would be too easy"
    together = train(inputs, tmp_path / "together")
    with monkeypatch.context() as alone:
        one_by_one(alone)
        reported = train(inputs, tmp_path / "alone")
    assert_same_results(inputs, tmp_path / "together", tmp_path / "alone")
    assert {(fold, seed, epoch.epoch) for fold, seed, epoch in together} == {
        (fold, seed, epoch.epoch) for fold, seed, epoch in reported
    }


def test_what_is_fitted_after_training_sees_the_outputs_of_the_trained_head(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heads that train together share the frozen layers of one network, but not its head."""
    inputs = replace(inputs_of(prepared, tmp_path, FLIPS, epochs=3, lr=1e-2), seeds=[0, 7])
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(
        type(inputs.task),
        "finish",
        lambda _task, _network, _loss, validation: seen.append(torch.cat([logits for logits, _ in validation()])),
    )
    train(inputs, tmp_path)
    found = pd.concat(predict_variant(inputs.variant, inputs.prepared, tmp_path / "model", COMPUTE))
    for seed, logits in zip(inputs.seeds, seen, strict=True):
        stored = found[(found["seed"] == seed) & (found["role"] == "validation")]
        kept = stored[[column for column in stored if column.startswith("p_")]].to_numpy()
        np.testing.assert_allclose(logits.softmax(dim=1).numpy(), kept, rtol=0, atol=1e-5)


def test_learning_rates_trained_together_are_those_trained_alone(prepared: Prepared, tmp_path: Path) -> None:
    inputs = inputs_of(prepared, tmp_path, FLIPS, epochs=4)
    rates = (1e-4, 1e-3, 1e-2)
    variants = [
        replace(inputs, variant=replace(inputs.variant, strategy=inputs.variant.strategy.model_copy(update={"lr": lr})))
        for lr in rates
    ]
    jobs = [runs.make_job(one, 0, seed) for one in variants for seed in (0, 1)]
    checkpoint = runs.Checkpoint(tmp_path, "rates")
    assert heads_together.groups(jobs) == [jobs]
    heads_together.fit_heads(jobs, checkpoint, lambda *_: None)
    for number, one in enumerate(variants):
        train(one, tmp_path / str(number))
        for seed in (0, 1):
            alone = load_run(tmp_path / str(number) / "model", 0, seed).state_dict()
            for name, tensor in jobs[2 * number + seed].network.state_dict().items():
                torch.testing.assert_close(tensor, alone[name], **ROUNDING)


def test_a_probe_at_all_rates_and_features_keeps_the_best_of_those_trained_alone(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates, search = [1e-4, 1e-2], {"blocks": [1, 3], "poolings": ["token", "token_avg"]}
    model = "timm/vit_tiny_patch16_224"
    inputs = inputs_of(prepared, tmp_path, FLIPS, model, epochs=3, lr_search=rates, feature_search=search)
    computed: list[int] = []
    whole = runs.Embedder.activations
    monkeypatch.setattr(
        runs.Embedder, "activations", lambda self, pixels: computed.append(len(pixels)) or whole(self, pixels)
    )
    train(inputs, tmp_path / "search")
    trained = [len(prepared.roles(0).train), len(prepared.roles(0).validation)]
    assert sum(computed) == 2 * trained[0] + trained[1]  # two views: one pass over the images
    one_by_one(monkeypatch)
    found: dict[int, list[tuple[float, float, Any]]] = {0: [], 1: []}
    for values in inputs.variant.strategy.grid:
        strategy = inputs.variant.strategy.at(values).model_copy(update={"feature_search": None})
        folder = tmp_path / f"{strategy.lr}{strategy.features}"
        train(replace(inputs, variant=replace(inputs.variant, strategy=strategy)), folder)
        for seed in found:
            loss = history_of(folder).loc[0, seed]["validation_loss"].iloc[-1]
            found[seed] += [(loss, strategy.lr, strategy.features)]
    for run in read_card(tmp_path / "search" / "model")["runs"]:
        loss, rate, features = min(found[run["seed"]], key=lambda each: each[0])
        assert (run["lr"], run["features"]) == (rate, features.model_dump())
        kept = history_of(tmp_path / "search").loc[0, run["seed"]]["validation_loss"].iloc[-1]
        assert kept == pytest.approx(loss, rel=ROUNDING["rtol"])
        network = load_run(tmp_path / "search" / "model", 0, run["seed"])
        assert network.head[2].in_features == 192 * (features.blocks + (features.pooling == "token_avg"))


@pytest.mark.parametrize(
    ("strategy", "alone"),
    [slow({"epochs": 4}, False), ({"epochs": 12, "patience": 1}, False), slow({"epochs": 4, "patience": 1}, True)],
    ids=["together, last", "together, best", "one by one, best"],
)
def test_a_search_keeps_for_each_run_the_rate_with_the_lowest_validation_loss(
    folded: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: dict[str, Any], alone: bool
) -> None:
    rates = [1e-5, 1e-3, 0.5]
    with monkeypatch.context() as patch:
        if alone:
            one_by_one(patch)
        reported = train(inputs_of(folded, tmp_path, FLIPS, lr_search=rates, **strategy), tmp_path / "search")
    histories = []
    for rate in rates:
        train(inputs_of(folded, tmp_path, FLIPS, lr=rate, **strategy), tmp_path / f"{rate}")
        costs = json.loads((tmp_path / f"{rate}" / "cost.json").read_text())["runs"]
        histories.append((history_of(tmp_path / f"{rate}"), costs))
    card = read_card(tmp_path / "search" / "model")
    chosen = history_of(tmp_path / "search")
    for run in card["runs"]:
        key = (run["fold"], run["seed"])
        losses = [
            history.loc[key]["validation_loss"].iloc[costs[run_name(*key)]["kept_epoch"]]
            for history, costs in histories
        ]
        best = int(np.argmin(losses))
        assert run["lr"] == rates[best]
        expected = histories[best][0].loc[key].to_numpy(float)
        np.testing.assert_allclose(chosen.loc[key].to_numpy(float), expected, **ROUNDING)
        assert [epoch.validation_loss for fold, seed, epoch in reported if (fold, seed) == key] == (
            pytest.approx(expected[:, list(chosen.columns).index("validation_loss")], rel=ROUNDING["rtol"])
        )
        states = [load_run(tmp_path / name / "model", *key).state_dict() for name in ("search", f"{rates[best]}")]
        for name, tensor in states[0].items():
            torch.testing.assert_close(tensor, states[1][name], **ROUNDING)


@pytest.mark.parametrize("alone", [False, True], ids=["together", "one by one"])
def test_a_rate_whose_loss_is_nan_is_never_kept(
    folded: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    if alone:
        one_by_one(monkeypatch)
    inputs = inputs_of(folded, tmp_path, FLIPS, lr_search=[1e38, 1e-3], optimizer="sgd", epochs=3)
    train(inputs, tmp_path / "search")
    assert {run["lr"] for run in read_card(tmp_path / "search" / "model")["runs"]} == {1e-3}
