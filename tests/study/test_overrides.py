"""What a variant's line says beside its strategy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from medtransfer.study import Strategy, check_study

from .mistakes import LINE, problems_of

Make = Callable[..., dict[str, Any]]

WRONG_OVERRIDES = [
    ({"epocs": 3}, "variants.head_only.epocs: unknown key"),
    ({"lr": 0}, "variants.head_only.lr: input should be greater than 0, but got 0"),
    ({"train": {"lst": 2}}, "variants.head_only.train.last: missing"),
    ({"backbone_lr": 1e-5}, "variants.head_only.backbone_lr needs train"),
    ({"schedule": {"kind": "step", "evry": 3}}, "variants.head_only.schedule.evry: unknown key"),
]

OVERRIDES = [
    {"train": "all", "backbone_lr": 1e-5},
    {"train": {"last": 3}},
    {"shots": 5},
    {"head": "mlp", "hidden": 64, "head_batch_norm": True},
    {"head": "knn", "neighbours": 1},
    {"optimizer": "sgd", "momentum": 0.8, "nesterov": True, "weight_decay": 5e-4},
    {"schedule": "plateau"},
    {"schedule": {"kind": "step", "every": 3, "factor": 0.1}},
    {"loss": {"kind": "binary_cross_entropy", "class_weights": "balanced"}},
    {"epochs": 50, "patience": 4, "batch_size": 8, "dropout": 0.3},
]


@pytest.mark.parametrize("override", OVERRIDES)
def test_an_override_on_a_variants_line_is_the_same_as_in_its_strategy(
    params_with: Make, override: dict[str, Any]
) -> None:
    on_the_line = check_study(params_with({"variants.head_only": LINE | override}), "line")
    strategy = params_with()["strategies"]["frozen"] | override
    in_the_strategy = check_study(params_with({"strategies.frozen": strategy, "variants.head_only": LINE}), "strategy")
    assert on_the_line.variant("head_only").strategy == in_the_strategy.variant("head_only").strategy
    assert on_the_line.variant("head_only").key() == in_the_strategy.variant("head_only").key()
    assert on_the_line.params.strategies["frozen"] == Strategy(lr=1e-4, schedule={"kind": "cosine"})


def test_an_override_can_make_a_strategy_go_together_that_alone_would_not(params_with: Make) -> None:
    line = LINE | {"backbone": "cnn_small", "init": "random", "train": "all"}
    assert check_study(params_with({"variants.head_only": line}), "x").variant("head_only").strategy.init == "random"


@pytest.mark.parametrize(("override", "line"), WRONG_OVERRIDES)
def test_a_wrong_override_is_told_at_the_variants_line(params_with: Make, override: dict[str, Any], line: str) -> None:
    found = problems_of(params_with({"variants.head_only": LINE | override}))
    assert f"params.yaml: {line}" in found[0]
