"""Frozen layers computed once, compared with running the whole network: the same results."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import slow, tiny_inputs, tiny_prepared
from frozen import CUTMIX, FLIPS, FRESH, MIXUP, assert_same_results, inputs_of, train

from medtransfer.augmentation.store import open_views
from medtransfer.data.prepared import Prepared
from medtransfer.deployment.trained import load_run
from medtransfer.features.embedder import Embedder
from medtransfer.study import Policy
from medtransfer.training import runs
from medtransfer.util.disk_cache import LIMIT_VARIABLE
from medtransfer.util.files import sha256_of_folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return tiny_prepared(tmp_path_factory.mktemp("set"))


def without_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "embedder_of", lambda *_: None)


@pytest.mark.parametrize(
    ("policy", "strategy"),
    [
        (FLIPS, {}),
        (CUTMIX, {"head": "own", "batch_size": 12, "lr": 1e-4}),
        slow(MIXUP, {"train": {"last": 4}, "batch_size": 32, "lr": 1e-4}),
        slow(FRESH, {"train": {"last": 4}, "head": "own", "lr": 1e-4}),
        (FRESH, {"head": "mlp", "shots": 4, "lr": 1e-4}),
        (FLIPS, {"train": {"lora": {"rank": 2, "targets": "all", "last_blocks": 3}}, "lr": 1e-4}),
    ],
    ids=[
        "head",
        "own head on cutmix",
        "last layers on mixup",
        "last layers on fresh cutmix",
        "few fresh shots",
        "lora",
    ],
)
def test_cached_activations_train_as_the_whole_network_does_on_the_same_views(
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


@pytest.mark.parametrize("policy", [FLIPS, CUTMIX], ids=["flips", "cutmix"])
def test_training_on_kept_views_and_on_drawn_ones_gives_the_same_bytes(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: dict[str, Any]
) -> None:
    monkeypatch.setattr("medtransfer.augmentation.store.WORTH", 0.0)
    for limit in ("0", "10"):
        monkeypatch.setenv(LIMIT_VARIABLE, limit)
        train(tiny_inputs(prepared, policy, epochs=2), tmp_path / limit)
        assert len(list(tmp_path.glob(".medtransfer/features/views-*/views.npy"))) == (limit == "10")
    assert sha256_of_folder(tmp_path / "0/model") == sha256_of_folder(tmp_path / "10/model")


@pytest.mark.parametrize("strategy", [{}, slow({"train": {"last": 4}, "batch_size": 12})], ids=["head", "last layers"])
def test_the_bytes_are_the_same_without_a_cache_and_after_half_of_it_is_lost(
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
def test_the_seconds_of_frozen_layers_are_counted_apart_and_for_the_first_user(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: dict[str, Any]
) -> None:
    """Delay each frozen batch by a tenth of a second: no epoch takes longer."""
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
    kept = tmp_path / ".medtransfer" / "features"
    shelves = set(kept.glob("*/"))
    train(inputs_of(prepared, tmp_path, FLIPS | {"views": 4}, epochs=4), tmp_path / "four")
    found = set(kept.glob("*/")) - shelves
    assert len([folder for folder in found if not folder.name.startswith("views-")]) == 2  # two more views


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


def test_fresh_views_of_a_frozen_body_are_cached_by_all_that_determines_them(
    prepared: Prepared, tmp_path: Path
) -> None:
    inputs = inputs_of(prepared, tmp_path, FRESH, epochs=3)
    train(inputs, tmp_path / "first")
    shelves = {path: path.stat().st_mtime_ns for path in (tmp_path / ".medtransfer" / "features").glob("*/rows.bin")}
    assert len(shelves) == 4  # three views, and the images themselves
    train(inputs, tmp_path / "again")
    assert {path: path.stat().st_mtime_ns for path in shelves} == shelves
    assert sha256_of_folder(tmp_path / "first/model") == sha256_of_folder(tmp_path / "again/model")
    other = Policy.model_validate(FRESH | {"mix": {"method": "mixup"}})
    opened = [open_views(prepared, policy, seed) for policy in (inputs.variant.policy, other) for seed in (1, 2)]
    assert len({views.source(view).sha256 for views in opened for view in (0, 1)}) == 8
