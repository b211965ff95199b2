"""Losses of numbers by their formulas; heads train together as alone; networks answer in the unit of the numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from builders import COMPUTE, assembled, tiny_prepared
from frozen import assert_same_results, inputs_of, train
from torch import nn

from medtransfer.data.prepared import Prepared
from medtransfer.deployment.trained import predict_variant
from medtransfer.models.heads.mlp import MLPHead
from medtransfer.models.network import Network, Normalise
from medtransfer.study import Loss
from medtransfer.tasks import TASKS
from medtransfer.training import runs
from medtransfer.training.number_losses import NUMBER_LOSSES, NumberLoss

TRUTH = np.array([[10.0], [20.0], [60.0]], np.float32)
MEAN, DEVIATION = 30.0, float(TRUTH.std())


class Numbered(Prepared):
    """A prepared set of classes whose targets are numbers instead: the mean brightness of each image."""

    @property
    def task(self) -> str:
        return "regression"

    @property
    def outputs(self) -> list[str]:
        return ["brightness"]

    @property
    def values(self) -> np.ndarray:  # type: ignore[override]
        return self.images[:].mean(axis=(1, 2, 3), dtype=np.float64).astype(np.float32)[:, None] * 3 + 100


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return Numbered(tiny_prepared(tmp_path_factory.mktemp("folded"), method="kfold", folds=3).folder)


@pytest.mark.parametrize(
    ("loss", "outputs", "expected"),
    [
        ({"kind": "l1"}, [[0.5]], 0.5 * DEVIATION),
        ({"kind": "l2"}, [[0.5]], 0.25 * DEVIATION),
        ({"kind": "huber", "delta": 0.2}, [[0.5]], (0.2 * 0.5 - 0.02) * DEVIATION),
        ({"kind": "huber"}, [[0.5]], 0.125 * DEVIATION),
        (
            {"kind": "gaussian"},
            [[0.5, np.log(np.expm1(2.0))]],
            (0.125 + np.log(2.001) + (0.5 / 2.001) ** 2 / 2) * DEVIATION,
        ),
    ],
)
def test_a_loss_is_that_of_standardised_numbers(loss: dict[str, Any], outputs: list[Any], expected: float) -> None:
    module = NumberLoss(Loss.model_validate(loss), TRUTH)
    found = module(torch.tensor(outputs, dtype=torch.float32), torch.tensor([[MEAN]]))
    assert float(found) * DEVIATION == pytest.approx(expected, rel=1e-4)
    assert module.takes_more_dimensions()


@pytest.mark.parametrize("strategy", [{"loss": "gaussian"}, {"loss": "huber", "head": "mlp"}], ids=str)
def test_heads_trained_together_are_those_trained_alone(
    folded: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: dict[str, Any]
) -> None:
    inputs = inputs_of(folded, tmp_path, {"transforms": [], "mix": {"method": "mixup"}, "views": 2}, **strategy)
    inputs = replace(inputs, seeds=[0, 1], task=TASKS["regression"])
    train(inputs, tmp_path / "together")
    monkeypatch.setattr(runs, "can_train_together", lambda *_: False)
    train(inputs, tmp_path / "alone")
    assert_same_results(inputs, tmp_path / "together", tmp_path / "alone")
    frames = [
        pd.concat(predict_variant(inputs.variant, folded, tmp_path / name / "model", COMPUTE))
        for name in ("together", "alone")
    ]
    for column in ("predicted", "deviation"):
        np.testing.assert_allclose(*(frame[column].to_numpy(float) for frame in frames), rtol=1e-3)


def test_a_predicted_deviation_does_not_keep_the_mean_from_being_learned() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(200, 300, generator=generator)
    truth = (features @ torch.randn(300, 1, generator=generator)) / 5
    spread = 0.2 + features[:, :1]
    numbers = truth - truth.mean() + spread * torch.randn(200, 1, generator=generator)
    means = {}
    for kind in ("l2", "gaussian"):
        layer = nn.Linear(300, 2)
        nn.init.zeros_(layer.weight), nn.init.zeros_(layer.bias)
        optimizer = torch.optim.SGD(layer.parameters(), lr=1e-3 if kind == "l2" else 2e-3)
        for _ in range(60):
            optimizer.zero_grad()
            NUMBER_LOSSES[kind](layer(features), numbers).mean().backward()
            optimizer.step()
        means[kind] = layer(features)[:, 0].detach()
    torch.testing.assert_close(means["gaussian"], means["l2"], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["l1", "gaussian"])
def test_a_finished_network_gives_numbers_in_their_unit(kind: str) -> None:
    task, loss = TASKS["regression"], Loss(kind=kind)
    module, width = NumberLoss(loss, TRUTH), task.width(1, loss)
    network = Network(Normalise((0.5,) * 3, (0.2,) * 3), nn.Flatten(), MLPHead(12, width)).eval()
    pixels = torch.randint(0, 256, (4, 3, 2, 2), dtype=torch.uint8)
    with torch.no_grad():
        before = network(pixels)
        errors = task.scores(before, torch.zeros(4, 1), module.constants)
        task.finish(network, module, lambda: iter(()))
        found = task.answers(network(pixels), loss)
    assert found[:, 0] == pytest.approx((before[:, 0] * DEVIATION + MEAN).numpy(), rel=1e-5)
    assert errors.numpy() == pytest.approx(np.abs(found[:, 0]), rel=1e-5)
    assert found.shape == (4, width)
    if width == 2:
        assert found[:, 1] == pytest.approx(np.log1p(np.exp(before[:, 1].numpy())) + 1e-3, rel=1e-5)


def test_a_head_that_ends_in_no_dense_layer_is_refused() -> None:
    from medtransfer.tasks.regression import _last_dense

    assert isinstance(_last_dense(assembled("resnet18", "own", 64).head), nn.Linear)
    assert _last_dense(assembled("squeezenet1_1", "own", 64).head) is None
