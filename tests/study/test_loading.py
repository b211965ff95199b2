"""A valid parameter file resolves to variants; an unreadable one is a one-line error."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from small_study import LINE, STUDY, params_with, problems_of

from medtransfer.study import Strategy, check_study, load_study
from medtransfer.util.errors import UserError


def test_the_variants_of_a_study_have_their_parts() -> None:
    study = check_study(params_with(), "params.yaml")
    assert list(study.variants) == ["from_scratch", "head_only"]
    variant = study.variant("head_only")
    assert (variant.backbone_name, variant.strategy_name, variant.augmentation_name) == (
        "resnet18",
        "frozen",
        "cutmix",
    )
    assert variant.model == "resnet18"
    assert variant.backbone.weights == "DEFAULT"
    assert variant.strategy.lr == 1e-4
    assert variant.strategy.schedule.kind == "cosine"
    assert variant.policy.mix is not None
    assert variant.policy.mix.method == "cutmix"


def test_a_section_may_be_its_kind_alone() -> None:
    short = check_study(params_with({"strategies.frozen.loss": "binary_cross_entropy"}), "short")
    long = check_study(
        params_with(
            {"strategies.frozen.loss": {"kind": "binary_cross_entropy"}, "data.layout": {"kind": "class_folders"}}
        ),
        "long",
    )
    assert short.params == long.params


def test_the_section_of_another_source_becomes_its_settings() -> None:
    values = params_with({"data.source": "archive", "data.archive": {"year": 2020}})
    assert check_study(values, "params.yaml").params.data.settings == {"year": 2020}
    (problem,) = problems_of(params_with({"data.archive": {}}))
    assert problem.startswith("params.yaml: data.archive: unknown key; ")


def test_an_unknown_variant_is_answered_by_the_nearest_name() -> None:
    study = check_study(params_with(), "params.yaml")
    with pytest.raises(UserError, match=re.escape("no 'head_olny' in params.yaml; did you mean 'head_only'?")):
        study.variant("head_olny")


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    (tmp_path / "dvc.yaml").touch()
    with pytest.raises(UserError) as raised:
        load_study(path)
    assert raised.value.problems == [f"{path}: no such file; `medtransfer use NAME` writes it"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            b"study: {name: a",
            ":1: not valid YAML: expected ',' or '}', but got '<stream end>'; check that every bracket is",
        ),
        (b"study: 1\nstudy: 2\n", ':2: not valid YAML: found duplicate key "study"; name it once'),
        (
            b"study:\n\tname: a\n",
            ":2: not valid YAML: found character '\\t' that cannot start any token; indent by spaces",
        ),
        (
            b"study:\n  name: a\n   seed: 0\n",
            ":3: not valid YAML: mapping values are not allowed here; check the indentation",
        ),
        (b"study: \xff\xfe\n", ": expected UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_parsed_is_one_line(tmp_path: Path, content: bytes, line: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as raised:
        load_study(path)
    (problem,) = raised.value.problems
    assert problem.startswith(f"{path}{line}")
    assert "\n" not in problem


def test_a_file_loads_as_its_values_do(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(STUDY, encoding="utf-8")
    assert load_study(path).params == check_study(params_with(), "x").params


WRONG_OVERRIDES = [
    ({"lr": 0}, "variants.head_only.lr: input should be greater than 0, but got 0"),
    ({"train": {"lst": 2}}, "variants.head_only.train.lst: unknown key; did you mean 'last'?"),
    ({"backbone_lr": 1e-5}, "variants.head_only.backbone_lr needs a part of the backbone that trains"),
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
def test_an_override_on_a_variants_line_is_the_same_as_in_its_strategy(override: dict[str, Any]) -> None:
    on_the_line = check_study(params_with({"variants.head_only": LINE | override}), "line")
    strategy = params_with()["strategies"]["frozen"] | override
    in_the_strategy = check_study(params_with({"strategies.frozen": strategy, "variants.head_only": LINE}), "strategy")
    assert on_the_line.variant("head_only").strategy == in_the_strategy.variant("head_only").strategy
    assert on_the_line.variant("head_only").key() == in_the_strategy.variant("head_only").key()
    assert on_the_line.params.strategies["frozen"] == Strategy(lr=1e-4, schedule={"kind": "cosine"})


def test_overrides_are_checked_together_with_their_strategy() -> None:
    line = LINE | {"backbone": "cnn_small", "init": "random", "train": "all"}
    assert check_study(params_with({"variants.head_only": line}), "x").variant("head_only").strategy.init == "random"


@pytest.mark.parametrize(("override", "line"), WRONG_OVERRIDES)
def test_a_wrong_override_is_reported_at_the_line_of_its_variant(override: dict[str, Any], line: str) -> None:
    found = problems_of(params_with({"variants.head_only": LINE | override}))
    assert f"params.yaml: {line}" in found[0]
