"""The parameters of an optimizer, and their learning rates."""

from __future__ import annotations

import pytest
import torch
from builders import assembled

from medtransfer.study import Strategy
from medtransfer.training.optimizers import OPTIMIZERS, build_optimizer, set_rate

KINDS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}


@pytest.mark.parametrize("name", KINDS)
def test_each_optimizer_has_the_strategys_settings(name: str) -> None:
    strategy = Strategy(train="all", optimizer=name, lr=0.01, backbone_lr=0.001, weight_decay=0.1, momentum=0.5)
    optimizer = build_optimizer(assembled("cnn_small", "linear", 32), strategy)
    assert type(optimizer) is KINDS[name]
    assert [group["lr"] for group in optimizer.param_groups] == [0.001, 0.01]
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.1}
    if name in ("sgd", "rmsprop"):
        assert {group["momentum"] for group in optimizer.param_groups} == {0.5}


def test_nesterov_is_passed_on() -> None:
    strategy = Strategy(train="all", optimizer="sgd", nesterov=True)
    optimizer = build_optimizer(assembled("cnn_small", "linear", 32), strategy)
    assert all(group["nesterov"] for group in optimizer.param_groups)


@pytest.mark.parametrize(("train", "expected"), [("head", 2), ({"last": 1}, 4), ("all", 8)])
def test_only_trained_parameters_are_optimised(train: object, expected: int) -> None:
    network = assembled("cnn_small", "linear", 32, train=train)
    optimizer = build_optimizer(network, Strategy(train=train))
    assert sum(len(group["params"]) for group in optimizer.param_groups) == expected


def test_set_rate_scales_every_group_from_its_full_rate() -> None:
    strategy = Strategy(train="all", lr=0.01, backbone_lr=0.001)
    optimizer = build_optimizer(assembled("cnn_small", "linear", 32), strategy)
    for factor in (0.5, 0.1):
        set_rate(optimizer, factor)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.001 * factor, 0.01 * factor])


def test_rates_rise_geometrically_from_the_first_layer_to_the_last() -> None:
    network = assembled("cnn_small", "linear", 32)
    strategy = Strategy(train="all", lr=0.1, backbone_lr=0.01, first_layer_lr=0.0001)
    optimizer = build_optimizer(network, strategy)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.0001, 0.001, 0.01, 0.1])
    ours = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    theirs = list(network.parameters())
    assert [id(parameter) for parameter in ours] == [id(parameter) for parameter in theirs]


def test_an_optimizer_is_added_from_outside_by_one_function(monkeypatch: pytest.MonkeyPatch) -> None:
    def adagrad(groups: list[dict[str, object]], *, weight_decay: float = 0.0) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(groups, weight_decay=weight_decay)

    monkeypatch.setitem(OPTIMIZERS._items, "adagrad", adagrad)
    strategy = Strategy(weight_decay=0.2).model_copy(update={"optimizer": "adagrad"})
    optimizer = build_optimizer(assembled("cnn_small", "linear", 32), strategy)
    assert type(optimizer) is torch.optim.Adagrad
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.2, 0.2]
