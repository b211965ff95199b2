"""Frozen layers computed once against the plain way, and heads at once against each alone: the same results."""

from __future__ import annotations

import itertools
import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from builders import COMPUTE, pretrained, tiny_inputs, tiny_prepared

from medtransfer.augmentation.store import open_views
from medtransfer.dataset.prepared import Prepared
from medtransfer.embeddings.embedder import Embedder
from medtransfer.embeddings.room import LIMIT_VARIABLE
from medtransfer.evaluation.evaluate import predict_variant
from medtransfer.files import sha256_of_folder
from medtransfer.study import Policy
from medtransfer.training import head_losses, heads_at_once, runs
from medtransfer.training.inputs import Inputs
from medtransfer.training.loop import Epoch
from medtransfer.training.model_files import load_run, read_card, run_name
from medtransfer.training.variant import train_variant

FLIPS = {"transforms": [{"HorizontalFlip": {"p": 0.5}}], "views": 2}
CUTMIX, MIXUP = (FLIPS | {"mix": {"method": method}} for method in ("cutmix", "mixup"))
FRESH = CUTMIX | {"views": "fresh"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return tiny_prepared(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return tiny_prepared(tmp_path_factory.mktemp("folded"), method="kfold", folds=3)


@pytest.fixture(autouse=True)
def own_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def inputs_of(prepared: Prepared, folder: Path, policy: dict[str, Any], **strategy: Any) -> Inputs:
    fields = {"train": "head", "init": "pretrained", **strategy}
    return pretrained(tiny_inputs(prepared, policy, **fields), folder / "weights")


def train(inputs: Inputs, folder: Path) -> list[tuple[int, int, Epoch]]:
    heard: list[tuple[int, int, Epoch]] = []
    train_variant(inputs, folder / "model", folder / "cost.json", lambda *epoch: heard.append(epoch))
    return heard


def without_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "embedder_of", lambda *_: None)


def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "train_at_once", lambda *_: False)


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
    np.testing.assert_allclose(predictions(inputs, one), predictions(inputs, other), rtol=0, atol=1e-5)
    histories = [pd.read_csv(folder / "model" / "history.csv") for folder in (one, other)]
    np.testing.assert_allclose(*(history.to_numpy(float) for history in histories), rtol=1e-4, atol=1e-5)
    if inputs.variant.strategy.trains_backbone or inputs.variant.strategy.head != "linear":
        return
    for fold, seed in itertools.product(range(inputs.prepared.folds), inputs.seeds):
        states = [load_run(folder / "model", fold, seed).state_dict() for folder in (one, other)]
        for name, tensor in states[0].items():
            torch.testing.assert_close(tensor, states[1][name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("policy", "strategy"),
    [
        (FLIPS, {}),
        (CUTMIX, {"head": "own", "batch_size": 12, "lr": 1e-4}),
        (MIXUP, {"train": {"last": 4}, "batch_size": 32, "lr": 1e-4}),
        (FRESH, {"train": {"last": 4}, "head": "own", "lr": 1e-4}),
        (FRESH, {"head": "mlp", "shots": 4, "lr": 1e-4}),
    ],
    ids=["head", "own head on cutmix", "last layers on mixup", "last layers on fresh cutmix", "few fresh shots"],
)
def test_kept_activations_give_what_the_whole_network_gives_on_the_same_views(
    prepared: Prepared,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    policy: dict[str, Any],
    strategy: dict[str, Any],
) -> None:
    inputs = inputs_of(prepared, tmp_path, policy, **strategy)
    train(inputs, tmp_path / "kept")
    with monkeypatch.context() as plain:
        without_embedder(plain)
        train(inputs, tmp_path / "plain")
    assert_same_results(inputs, tmp_path / "kept", tmp_path / "plain")


@pytest.mark.parametrize("strategy", [{}, {"train": {"last": 4}, "batch_size": 12}], ids=["head", "last layers"])
def test_without_room_or_with_half_of_it_lost_the_bytes_are_the_same(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: dict[str, Any]
) -> None:
    inputs = inputs_of(prepared, tmp_path, CUTMIX, **strategy)
    train(inputs, tmp_path / "first")
    store = tmp_path / ".medtransfer" / "features"
    done = next(path for path in store.glob("*/done.npy") if np.load(path).sum() > 20)
    half = np.load(done)
    half[::2] = False
    np.save(done, half)
    train(inputs, tmp_path / "half")
    shutil.rmtree(store)
    train(inputs, tmp_path / "none")
    monkeypatch.setenv(LIMIT_VARIABLE, "0")
    train(inputs, tmp_path / "no room")
    names = ("first", "half", "none", "no room")
    assert len({sha256_of_folder(tmp_path / name / "model") for name in names}) == 1


@pytest.mark.parametrize("strategy", [{}, {"train": {"last": 4}}, {"head": "prototypes"}, {"lr_search": [1e-9, 1e-3]}])
def test_the_seconds_of_frozen_layers_stand_apart_and_fall_on_the_first_to_ask(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: dict[str, Any]
) -> None:
    """A frozen batch that takes a tenth of a second longer makes no epoch longer."""
    embed = Embedder.activations

    def slowly(self: Embedder, pixels: np.ndarray) -> torch.Tensor:
        time.sleep(0.1)
        slept.append(0.1)
        return embed(self, pixels)

    monkeypatch.setattr(Embedder, "activations", slowly)
    slept: list[float] = []
    train(inputs := inputs_of(prepared, tmp_path, FLIPS, epochs=2, **strategy), tmp_path / "first")
    train(inputs, tmp_path / "second")
    first, second = (json.loads((tmp_path / name / "cost.json").read_text()) for name in ("first", "second"))
    assert sum(slept) <= first["frozen_seconds"] <= first["stage_seconds"] - first["train_seconds"]
    assert second["frozen_seconds"] < 0.1


def test_views_that_two_policies_share_are_computed_once(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first two of four views are the two of a policy with two."""
    train(inputs_of(prepared, tmp_path, FLIPS), tmp_path / "two")
    shelves = set((tmp_path / ".medtransfer" / "features").glob("*/"))
    train(inputs_of(prepared, tmp_path, FLIPS | {"views": 4}, epochs=4), tmp_path / "four")
    assert len(set((tmp_path / ".medtransfer" / "features").glob("*/")) - shelves) == 2


@pytest.mark.parametrize(
    "strategy",
    [
        {"shots": 4},
        {"head": "mlp", "dropout": 0.4, "optimizer": "rmsprop", "weight_decay": 0.01, "lr": 1e-4},
        {"head": "own", "patience": 1, "epochs": 20, "lr": 3e-3},
        {"patience": 1, "resume_patience": 2, "epochs": 20, "lr": 5e-3, "optimizer": "sgd"},
        {"schedule": {"kind": "plateau", "patience": 1}, "epochs": 8, "lr": 5e-3},
        {"loss": {"kind": "binary_cross_entropy", "class_weights": "balanced"}, "optimizer": "adamw"},
        {"loss": {"class_weights": "balanced", "label_smoothing": 0.1}, "dropout": 0.2, "batch_size": 3},
        {"head": "mlp", "head_batch_norm": True, "dropout": 0.2, "lr": 1e-4},
    ],
    ids=str,
)
@pytest.mark.parametrize("policy", [CUTMIX], ids=["cutmix"])
def test_heads_at_once_are_each_what_they_are_alone(
    folded: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: dict[str, Any], strategy: dict[str, Any]
) -> None:
    inputs = replace(inputs_of(folded, tmp_path, policy, **strategy), seeds=[0, 1, 7])
    sizes = [len(folded.roles(fold).train) for fold in range(3)]
    assert len({size // 3 for size in sizes}) > 1, "folds with one number of batches would be too easy"
    together = train(inputs, tmp_path / "together")
    with monkeypatch.context() as alone:
        one_by_one(alone)
        heard = train(inputs, tmp_path / "alone")
    assert_same_results(inputs, tmp_path / "together", tmp_path / "alone")
    assert {(fold, seed, epoch.epoch) for fold, seed, epoch in together} == {
        (fold, seed, epoch.epoch) for fold, seed, epoch in heard
    }


def test_losses_are_the_same_found_for_each_step_or_for_many(
    folded: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = inputs_of(folded, tmp_path, CUTMIX, batch_size=3)
    train(inputs, tmp_path / "many")
    monkeypatch.setattr(head_losses, "MOST_LOGITS", 1)
    train(inputs, tmp_path / "each")
    many, each = (history_of(tmp_path / name).to_numpy(float) for name in ("many", "each"))
    np.testing.assert_allclose(many, each, rtol=1e-6)


def test_learning_rates_at_once_are_each_what_they_are_alone(prepared: Prepared, tmp_path: Path) -> None:
    inputs = inputs_of(prepared, tmp_path, FLIPS, epochs=4)
    rates = (1e-4, 1e-3, 1e-2)
    variants = [
        replace(inputs, variant=replace(inputs.variant, strategy=inputs.variant.strategy.model_copy(update={"lr": lr})))
        for lr in rates
    ]
    jobs = [runs.make_job(one, 0, seed) for one in variants for seed in (0, 1)]
    checkpoint = runs.Checkpoint(tmp_path, "rates")
    assert heads_at_once.groups(jobs) == [jobs]
    heads_at_once.fit_heads(jobs, checkpoint, lambda *_: None)
    for number, one in enumerate(variants):
        train(one, tmp_path / str(number))
        for seed in (0, 1):
            alone = load_run(tmp_path / str(number) / "model", 0, seed).state_dict()
            for name, tensor in jobs[2 * number + seed].network.state_dict().items():
                torch.testing.assert_close(tensor, alone[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("alone", [False, True], ids=["at once", "one by one"])
@pytest.mark.parametrize("strategy", [{"epochs": 4}, {"epochs": 12, "patience": 1}], ids=["last", "best"])
def test_of_the_rates_that_are_searched_each_run_keeps_the_one_with_the_lowest_validation_loss(
    folded: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: dict[str, Any], alone: bool
) -> None:
    rates = [1e-5, 1e-3, 0.5]
    if alone:
        one_by_one(monkeypatch)
    heard = train(inputs_of(folded, tmp_path, FLIPS, lr_search=rates, **strategy), tmp_path / "search")
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
        np.testing.assert_allclose(chosen.loc[key].to_numpy(float), expected, rtol=1e-4, atol=1e-6)
        assert [epoch.validation_loss for fold, seed, epoch in heard if (fold, seed) == key] == (
            pytest.approx(expected[:, list(chosen.columns).index("validation_loss")], rel=1e-4)
        )
        states = [load_run(tmp_path / name / "model", *key).state_dict() for name in ("search", f"{rates[best]}")]
        for name, tensor in states[0].items():
            torch.testing.assert_close(tensor, states[1][name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("alone", [False, True], ids=["at once", "one by one"])
def test_a_rate_whose_loss_is_no_number_is_never_kept(
    folded: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    if alone:
        one_by_one(monkeypatch)
    inputs = inputs_of(folded, tmp_path, FLIPS, lr_search=[1e38, 1e-3], optimizer="sgd", epochs=3)
    train(inputs, tmp_path / "search")
    assert {run["lr"] for run in read_card(tmp_path / "search" / "model")["runs"]} == {1e-3}


@pytest.mark.parametrize(
    "strategy", [{}, {"train": {"last": 4}}, {"train": "none"}], ids=["head", "last layers", "none"]
)
def test_buffers_of_frozen_layers_are_the_same_bits_after_training(
    prepared: Prepared, tmp_path: Path, strategy: dict[str, Any]
) -> None:
    inputs = inputs_of(prepared, tmp_path, FLIPS, **strategy)
    train(inputs, tmp_path)
    network = load_run(tmp_path / "model", 0, 1)
    frozen = [name for name, module in network.body.named_modules() if module in network.frozen]
    assert inputs.weights.state is not None
    checked = 0
    for name, tensor in network.body.state_dict().items():
        if name.rpartition(".")[0] in frozen:
            assert torch.equal(tensor, inputs.weights.state[name])
            checked += "running" in name
    assert checked > 20


def test_fresh_views_of_a_frozen_body_are_kept_by_what_decides_them(prepared: Prepared, tmp_path: Path) -> None:
    inputs = inputs_of(prepared, tmp_path, FRESH, epochs=3)
    train(inputs, tmp_path / "first")
    shelves = {path: path.stat().st_mtime_ns for path in (tmp_path / ".medtransfer" / "features").glob("*/rows.bin")}
    assert len(shelves) == 4  # three views, and the images themselves
    train(inputs, tmp_path / "again")
    assert {path: path.stat().st_mtime_ns for path in shelves} == shelves
    assert sha256_of_folder(tmp_path / "first/model") == sha256_of_folder(tmp_path / "again/model")
    other = Policy.model_validate(FRESH | {"mix": {"method": "mixup"}})
    opened = [
        open_views(prepared, tmp_path, policy, seed) for policy in (inputs.variant.policy, other) for seed in (1, 2)
    ]
    assert len({views.source(view).sha256 for views in opened for view in (0, 1)}) == 8
