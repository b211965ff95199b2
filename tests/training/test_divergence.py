"""Trainings that diverge stop at once, with an error or with the best epoch before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import COMPUTE, pretrained, tiny_inputs, tiny_prepared

from medtransfer.data.prepared import Prepared
from medtransfer.deployment.trained import predict_variant
from medtransfer.training import loop
from medtransfer.training.loop import Epoch
from medtransfer.training.variant import train_variant
from medtransfer.util.errors import UserError


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return tiny_prepared(tmp_path_factory.mktemp("set"))


@pytest.mark.parametrize(
    "strategy",
    [
        {"lr": 1e30},
        {"lr": 1e30, "patience": 3},
        {"init": "pretrained", "train": "head", "lr": 1e38},
        {"init": "pretrained", "train": "head", "lr_search": [1e37, 1e38]},
    ],
    ids=["last", "best", "heads together", "every rate"],
)
def test_a_diverging_training_stops_at_once_and_writes_nothing(
    prepared: Prepared, tmp_path: Path, strategy: dict[str, Any]
) -> None:
    inputs = tiny_inputs(prepared, optimizer="sgd", epochs=9, **strategy)
    if inputs.variant.strategy.init == "pretrained":
        inputs = pretrained(inputs, tmp_path / "weights")
    reported: list[Epoch] = []
    with pytest.raises(UserError, match=r"^tiny: training diverged in epoch [123] at lr 1e\+3\d \(fold 0, seed 0\)"):
        train_variant(
            inputs, tmp_path / "model", tmp_path / "cost.json", lambda _fold, _seed, epoch: reported.append(epoch)
        )
    assert all(epoch.epoch < 3 for epoch in reported)
    assert not (tmp_path / "model").exists()
    assert not (tmp_path / "cost.json").exists()


def test_a_training_that_diverges_after_a_good_epoch_keeps_that_epoch(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = tiny_inputs(prepared, optimizer="sgd", epochs=9, patience=5)
    with monkeypatch.context() as changed:
        changed.setattr(loop, "rate_factor", lambda _schedule, epoch, *_: 1e33 if epoch == 2 else 1.0)
        train_variant(inputs, tmp_path / "model", tmp_path / "cost.json", lambda *_: None)
    history = pd.read_csv(tmp_path / "model" / "history.csv").groupby("seed")["validation_loss"]
    assert (history.size() == 3).all()
    assert history.nth(-1).isna().all()
    table = pd.concat(predict_variant(inputs.variant, prepared, tmp_path / "model", COMPUTE))
    assert np.isfinite(table.filter(like="p_").to_numpy()).all()
