"""Searches: what is proposed, what ends early, and that interruptions and test images change nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import tiny_prepared
from frozen import FLIPS, ROUNDING, inputs_of, train

from medtransfer.data.prepared import Prepared
from medtransfer.study import Strategy
from medtransfer.training import runs
from medtransfer.training.model_files import TRIALS, read_card
from medtransfer.training.search import Trial, Trials, rounds
from medtransfer.training.variant import train_variant
from medtransfer.util.files import sha256_of_folder
from medtransfer.util.places import state_folder

SPACE = {"lr": {"log": [1e-5, 1e-1]}, "weight_decay": {"log": [1e-5, 1e-1]}, "dropout": [0.0, 0.2, 0.5]}


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return tiny_prepared(tmp_path_factory.mktemp("folded"), method="kfold", folds=3)


def searching(**search: Any) -> Strategy:
    return Strategy.model_validate({"train": "head", "epochs": 8, "search": {"space": SPACE} | search})


def trial(values: dict[str, float], *monitored: float, state: str = "complete") -> Trial:
    return Trial(values, state, list(monitored), len(monitored) - 1, monitored[-1], 0.0, 0.0)


def searched(strategy: Strategy, seed: int) -> list[Trial]:
    """Search the rate and the weight decay of a made-up loss with its minimum at 1e-3 and 1e-2."""
    trials = Trials(strategy, (seed, 0))
    while proposals := trials.proposals():
        for values in proposals:
            loss = math.log10(values["lr"] / 1e-3) ** 2 + math.log10(values["weight_decay"] / 1e-2) ** 2
            trials.add(trial(values, *[loss] * 8))
    return trials.found


def test_rounds_add_up_to_the_budget() -> None:
    assert rounds(searching()) == [10, 5, 5]
    assert rounds(searching(trials=7)) == [4, 3]
    assert rounds(searching(trials=1)) == [1]
    assert rounds(searching(sampler="random", trials=30)) == [30]
    assert rounds(Strategy()) == [1]
    assert rounds(Strategy.model_validate({"lr_search": [0.1, 0.2]})) == [2]


def test_values_depend_on_the_key_and_on_earlier_rounds_alone() -> None:
    strategy = searching()
    found = searched(strategy, 3)
    assert len(found) == 20
    assert [each.values for each in found] == [each.values for each in searched(strategy, 3)]
    assert found[0].values != searched(strategy, 4)[0].values
    for each in found:
        assert 1e-5 <= each.values["lr"] <= 1e-1
        assert each.values["dropout"] in (0.0, 0.2, 0.5)
    resumed = Trials(strategy, (3, 0))
    for number, each in enumerate(found):
        assert resumed.proposals()[0] == each.values, number
        resumed.add(each)
    assert not resumed.proposals()
    assert resumed.best == min(range(20), key=lambda number: found[number].worth)


def test_later_rounds_are_better_than_random_ones() -> None:
    losses = np.array([[each.worth for each in searched(searching(), seed)] for seed in range(10)])
    assert losses[:, 15:].mean() < 0.6 * losses[:, :10].mean()


def test_a_grid_is_every_combination_and_a_list_of_rates_is_one(folded: Prepared, tmp_path: Path) -> None:
    grid = {"space": {"lr": [1e-3, 1e-2]}, "sampler": "grid"}
    assert Trials(Strategy(lr_search=[1e-3, 1e-2]), (0, 0)).proposals() == [{"lr": 1e-3}, {"lr": 1e-2}]
    assert Trials(searching(**grid), (0, 0)).proposals() == [{"lr": 1e-3}, {"lr": 1e-2}]
    two = searching(space={"lr": [1e-3, 1e-2], "dropout": [0.0, 0.5]}, sampler="grid")
    assert (two.trials, two.grid[1]) == (4, {"lr": 1e-3, "dropout": 0.5})


def test_bars_are_the_medians_of_complete_trials_of_earlier_rounds() -> None:
    trials = Trials(searching(trials=4), (0, 0))
    assert trials.bars() == []
    trials.add(trial({}, 5, 4, 3, 2, 1))
    trials.add(trial({}, 9, 8, 7, 6, 5))
    assert trials.bars() == [math.inf, math.inf, 5, 4, 3]  # a quarter of eight epochs is allowed to all
    trials.add(trial({}, 0, 0, 0, 0, 0))
    assert trials.bars() == [math.inf, math.inf, 5, 4, 3]  # the round is not over
    trials.add(trial({}, 7, 7, 7, state="pruned"))
    assert trials.best == 2
    assert not trials.proposals()


def test_a_trial_that_ended_early_is_never_the_best() -> None:
    trials = Trials(searching(trials=2), (0, 0))
    assert trials.add(trial({}, math.nan, state="diverged"))
    assert trials.add(trial({}, 5.0))
    trials.add(trial({}, 1.0, state="pruned"))
    assert trials.best == 1


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_heads_searched_together_are_those_searched_one_by_one(
    folded: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    search = {"space": SPACE, "trials": 5, "sampler": "random"}
    inputs = inputs_of(folded, tmp_path, FLIPS, epochs=4, optimizer=optimizer, search=search)
    train(inputs, tmp_path / "together")
    monkeypatch.setattr(runs, "can_train_together", lambda *_: False)
    train(inputs, tmp_path / "alone")
    tables = [pd.read_csv(tmp_path / folder / "model" / TRIALS) for folder in ("together", "alone")]
    assert len(tables[0]) == 3 * 2 * 5
    assert set(tables[0]["dropout"]) == {0.0, 0.2, 0.5}
    pd.testing.assert_frame_equal(*tables, rtol=ROUNDING["rtol"])
    kept = tables[0][tables[0]["kept"]]
    assert (kept["validation_loss"] == tables[0].groupby(["fold", "seed"])["validation_loss"].min().to_numpy()).all()
    assert [run["values"]["lr"] for run in read_card(tmp_path / "alone" / "model")["runs"]] == kept["lr"].tolist()


class Killed(BaseException):
    """Ends a training as a signal would."""


@pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])
def test_an_interrupted_search_ends_in_the_same_bytes(
    folded: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    search = {"space": {"lr": {"log": [1e-5, 1e-1]}, "hidden": [4, 8]}, "trials": 6}
    inputs = replace(inputs_of(folded, tmp_path, FLIPS, epochs=4, patience=2, head="mlp", search=search), seeds=[0])
    monkeypatch.setattr("medtransfer.training.checkpoint.SECONDS", 0.0)
    if not together:
        monkeypatch.setattr(runs, "can_train_together", lambda *_: False)
    train(inputs, tmp_path / "whole")
    last = len(pd.read_csv(tmp_path / "whole/model/trials.csv")) * 2
    for after in (last // 5, last // 2):
        counted: list[None] = []

        def update(self: Any, *_: Any, counted: list[None] = counted, after: int = after) -> None:
            counted.append(None)
            if len(counted) > after:
                raise Killed

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr("tqdm.std.tqdm.update", update)
            train_variant(inputs, tmp_path / "killed/model", tmp_path / "killed/cost.json", lambda *_: None)
    states = list((state_folder() / "checkpoints").rglob("*.pt"))
    assert 0 < len(states) <= (6 if together else 3), "only the best and the running training keep their state"
    train(inputs, tmp_path / "killed")
    assert sha256_of_folder(tmp_path / "killed/model") == sha256_of_folder(tmp_path / "whole/model")


def test_test_images_take_no_part(tmp_path: Path) -> None:
    prepared = tiny_prepared(tmp_path / "set")
    inputs = inputs_of(prepared, tmp_path, FLIPS, epochs=2, search={"space": SPACE, "trials": 4})
    train(inputs, tmp_path / "one")
    labels = prepared.table["label_index"].to_numpy(copy=True)
    labels[prepared.roles(0).test] = (labels[prepared.roles(0).test] + 1) % len(prepared.classes)
    changed = Prepared(prepared.folder)
    changed.__dict__["table"] = prepared.table.assign(label_index=labels)
    train(replace(inputs, prepared=changed), tmp_path / "other")
    assert sha256_of_folder(tmp_path / "one/model") == sha256_of_folder(tmp_path / "other/model")
