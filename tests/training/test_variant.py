"""Whole trainings of a variant: identical bytes however often they are killed; and the files they write."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from builders import COMPUTE, pretrained, slow, tiny_inputs, tiny_prepared
from safetensors.torch import load_file
from torch import nn

from medtransfer.data.prepared import Prepared
from medtransfer.deployment.trained import load_run, predict_variant
from medtransfer.training.loop import Epoch
from medtransfer.training.model_files import read_card
from medtransfer.training.runs import Inputs, job_key, make_job
from medtransfer.training.subsets import few_shots
from medtransfer.training.variant import train_variant
from medtransfer.util.files import sha256_of_folder

FLIPS = {"transforms": [{"HorizontalFlip": {"p": 0.5}}], "views": 2}
MIXED = FLIPS | {"mix": {"method": "cutmix"}}


class KilledError(Exception):
    """A kill between two epochs."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return tiny_prepared(tmp_path_factory.mktemp("set"))


def train(inputs: Inputs, folder: Path, kill_at: int | None = None) -> list[tuple[int, int, Epoch]]:
    reported: list[tuple[int, int, Epoch]] = []

    def report(fold: int, seed: int, epoch: Epoch) -> None:
        reported.append((fold, seed, epoch))
        if len(reported) == kill_at:
            raise KilledError

    train_variant(inputs, folder / "model", folder / "cost.json", report)
    return reported


@pytest.mark.parametrize(
    ("policy", "strategy"),
    [
        slow(FLIPS, {"train": "all", "patience": 2, "epochs": 4}),
        (FLIPS, {"train": "all", "lr": 0.02, "patience": 1, "resume_patience": 2, "epochs": 9}),
        (MIXED, {"train": "head", "head": "mlp", "dropout": 0.3, "optimizer": "sgd"}),
        (
            FLIPS | {"views": "fresh"},
            {"train": "all", "sampler": "balanced", "schedule": {"kind": "plateau", "patience": 1}},
        ),
        (MIXED, {"init": "pretrained", "train": "head", "patience": 1, "epochs": 6, "lr": 0.01, "dropout": 0.2}),
        slow(MIXED, {"init": "pretrained", "train": {"last": 4}, "patience": 2, "epochs": 4}),
        (MIXED, {"init": "pretrained", "train": {"lora": {"targets": "all", "last_blocks": 3}}, "patience": 2}),
    ],
    ids=["fine-tuned", "resumed", "frozen and mixed", "fresh views", "heads together", "last layers", "lora"],
)
def test_a_killed_training_ends_in_the_bytes_of_an_uninterrupted_one(
    prepared: Prepared, tmp_path: Path, policy: dict[str, Any], strategy: dict[str, Any]
) -> None:
    inputs = tiny_inputs(prepared, policy, **strategy)
    if inputs.variant.strategy.init == "pretrained":
        inputs = pretrained(inputs, tmp_path / "weights")
    whole = train(inputs, tmp_path / "whole")
    folder = tmp_path / "killed"
    for _ in range(50):  # each attempt reports the earlier epochs again and one new one
        reached = len(list((tmp_path / ".medtransfer" / "checkpoints").glob("*/*.pt")))
        try:
            reported = train(inputs, folder, kill_at=_reported_so_far(folder) + 1)
        except KilledError:
            assert not (folder / "model").exists(), "a partial output was left"
            _note(folder)
            continue
        break
    assert reached
    assert reported == whole
    assert sha256_of_folder(folder / "model") == sha256_of_folder(tmp_path / "whole" / "model")


def _reported_so_far(folder: Path) -> int:
    note = folder / "reported"
    return int(note.read_text()) if note.exists() else 0


def _note(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "reported").write_text(str(_reported_so_far(folder) + 1))


def test_a_model_that_refuses_tensors_without_their_version_trains_and_resumes(
    prepared: Prepared, tmp_path: Path
) -> None:
    inputs = replace(tiny_inputs(prepared, train="all", patience=1, epochs=3, init="pretrained"), seeds=[0])
    inputs = pretrained(inputs, tmp_path / "weights", "mnasnet0_5")
    with pytest.raises(KilledError):
        train(inputs, tmp_path, kill_at=2)
    train(inputs, tmp_path)
    load_run(tmp_path / "model", 0, 0)


def test_checkpoints_are_deleted_at_the_end(prepared: Prepared, tmp_path: Path) -> None:
    train(tiny_inputs(prepared), tmp_path)
    assert not list((tmp_path / ".medtransfer" / "checkpoints").rglob("*.pt"))


@pytest.mark.parametrize("change", [{"lr": 5e-4}, {"dropout": 0.1}, {"batch_size": 8}, {"weight_decay": 0.1}])
def test_a_changed_parameter_never_resumes_a_stale_run(prepared: Prepared, change: dict[str, Any]) -> None:
    assert job_key(tiny_inputs(prepared)) != job_key(tiny_inputs(prepared, **change))
    assert job_key(tiny_inputs(prepared)) == job_key(tiny_inputs(prepared))


def test_other_seeds_do_not_change_a_run(prepared: Prepared, tmp_path: Path) -> None:
    inputs = tiny_inputs(prepared)
    train(inputs, tmp_path / "two")
    train(Inputs(**vars(inputs) | {"seeds": [1]}), tmp_path / "one")
    name = "model/fold0_seed1.safetensors"
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_gradient_checkpointing_changes_no_byte_and_ends_with_training(prepared: Prepared, tmp_path: Path) -> None:
    for name in ("usual", "less"):
        inputs = tiny_inputs(prepared, FLIPS, init="pretrained", dropout=0.2, gradient_checkpointing=name == "less")
        train(pretrained(inputs, tmp_path / "weights"), tmp_path / name)
        assert not forgets(load_run(tmp_path / name / "model", 0, 0))
    for run in ("fold0_seed0.safetensors", "fold0_seed1.safetensors"):
        assert (tmp_path / "less/model" / run).read_bytes() == (tmp_path / "usual/model" / run).read_bytes()
    assert forgets(make_job(pretrained(inputs, tmp_path / "weights"), 0, 0).network)


def forgets(network: nn.Module) -> bool:
    return any(type(module).__name__.startswith("Forgetful") for module in network.modules())


@pytest.mark.parametrize("head", ["prototypes", "knn", "logistic"])
def test_fitted_heads_write_one_line_of_history_per_run(prepared: Prepared, tmp_path: Path, head: str) -> None:
    train(tiny_inputs(prepared, FLIPS, train="head", head=head), tmp_path)
    history = pd.read_csv(tmp_path / "model" / "history.csv")
    assert list(history["seed"]) == [0, 1]
    assert history["train_accuracy"].min() > 0.3


def test_stored_runs_predict_what_the_trained_network_predicted(prepared: Prepared, tmp_path: Path) -> None:
    for name, strategy in {"all": {}, "head": {"train": "head"}, "knn": {"train": "head", "head": "knn"}}.items():
        inputs = tiny_inputs(prepared, **strategy)
        train(inputs, tmp_path / name)
        frames = list(predict_variant(inputs.variant, prepared, tmp_path / name / "model", COMPUTE))
        history = pd.read_csv(tmp_path / name / "model" / "history.csv").groupby("seed").last()
        for frame in frames:
            if frame["role"].iloc[0] == "validation":
                scores = frame[[column for column in frame if column.startswith("p_")]].to_numpy()
                accuracy = (scores.argmax(axis=1) == frame["label"]).mean()
                assert accuracy == pytest.approx(history.loc[frame["seed"].iloc[0], "validation_accuracy"])
                assert np.allclose(scores.sum(axis=1), 1, atol=1e-5)


def test_patience_keeps_the_best_epoch(prepared: Prepared, tmp_path: Path) -> None:
    inputs = tiny_inputs(prepared, train="all", lr=0.02, epochs=12, patience=2)
    train(inputs, tmp_path)
    history = pd.read_csv(tmp_path / "model" / "history.csv")
    cost = json.loads((tmp_path / "cost.json").read_text())
    for seed, run in history.groupby("seed"):
        best = int(run["validation_loss"].to_numpy().argmin())
        assert cost["runs"][f"fold0_seed{seed}"]["kept_epoch"] == best
        assert len(run) == min(best + 3, 12)


def test_shots_are_drawn_per_class_by_seed_from_training_rows_only(prepared: Prepared) -> None:
    rows = prepared.roles(0).train
    labels = prepared.table["label_index"].to_numpy()
    first, again, other = (few_shots(prepared, rows, 2, seed, 0) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert set(first) <= set(rows)
    assert set(np.bincount(labels[first])) == {2}
    assert np.array_equal(few_shots(prepared, rows, None, 0, 0), rows)
    assert np.array_equal(np.sort(rows), few_shots(prepared, rows, 10_000, 0, 0))


def test_the_card_describes_the_training(prepared: Prepared, tmp_path: Path) -> None:
    inputs = tiny_inputs(prepared, train="head")
    train(inputs, tmp_path)
    card = read_card(tmp_path / "model")
    width, classes = 64, len(prepared.classes)
    assert card["trainable_parameters"] == width * classes + classes
    assert card["parameters"] > card["trainable_parameters"]
    assert card["classes"] == prepared.classes
    assert card["inputs"] == job_key(inputs)
    assert card["data"]["pixels_sha256"] == prepared.about["pixels_sha256"]


def test_each_fold_is_a_run(tmp_path: Path) -> None:
    prepared = tiny_prepared(tmp_path, method="kfold", folds=3)
    inputs = tiny_inputs(prepared, train="head", epochs=2)
    reported = train(inputs, tmp_path)
    assert {(fold, seed) for fold, seed, _ in reported} == {(fold, seed) for fold in range(3) for seed in (0, 1)}
    frames = pd.concat(predict_variant(inputs.variant, prepared, tmp_path / "model", COMPUTE))
    test = frames[frames["role"] == "test"]
    assert (test.groupby(["seed", "path"]).size() == 1).all()
    assert test["path"].nunique() == len(prepared.table)


def test_adapters_of_a_transformer_are_merged_into_the_model_that_is_stored(prepared: Prepared, tmp_path: Path) -> None:
    model, lora = "timm/vit_tiny_patch16_224", {"rank": 2, "alpha": 8, "last_blocks": 1}
    inputs = tiny_inputs(prepared, init="pretrained", train={"lora": lora}, lr=1e-2, epochs=2)
    inputs = replace(pretrained(inputs, tmp_path / "weights", model), seeds=[0])
    reported = train(inputs, tmp_path)
    network, start = load_run(tmp_path / "model", 0, 0), make_job(inputs, 0, 0).network
    stored = load_file(tmp_path / "model/fold0_seed0.safetensors")
    body = {f"body.blocks.11.attn.{layer}.weight" for layer in ("qkv", "proj")}
    assert {name for name in stored if name.startswith("body.")} == body
    weight = start.body.blocks[11].attn.qkv.parametrizations.weight.original
    change = network.body.blocks[11].attn.qkv.weight - weight
    assert torch.linalg.matrix_rank(change, rtol=1e-4) == 2
    width, classes = 192, len(prepared.classes)
    assert read_card(tmp_path / "model")["trainable_parameters"] == 2 * (6 * width) + (width + 1) * classes
    frames = pd.concat(predict_variant(inputs.variant, prepared, tmp_path / "model", COMPUTE))
    validation = frames[frames["role"] == "validation"]
    scores = validation[[column for column in frames if column.startswith("p_")]].to_numpy()
    assert (scores.argmax(axis=1) == validation["label"]).mean() == pytest.approx(reported[-1][2].validation_score)
