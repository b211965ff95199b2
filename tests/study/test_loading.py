"""What a parameter file may say, and how each mistake in it is told: one line, with the key and the remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medtransfer.errors import UserError
from medtransfer.study import Strategy, check_study, load_study, near

Make = Callable[..., dict[str, Any]]

LINE = {"backbone": "resnet18", "strategy": "frozen", "augmentation": "none"}

WRONG_VALUES = [
    ("data.colour", "grey", "data.colour: unknown key"),
    ("data.split.tset", 0.2, "data.split.tset: unknown key"),
    ("strategies.frozen.epocs", 3, "strategies.frozen.epocs: unknown key"),
    ("more", {}, "more: unknown key"),
    ("strategies.frozen.epochs", "5", "strategies.frozen.epochs: input should be a valid integer, but got '5'"),
    ("strategies.frozen.epochs", 5.0, "strategies.frozen.epochs: input should be a valid integer, but got 5.0"),
    ("strategies.frozen.epochs", True, "strategies.frozen.epochs: input should be a valid integer, but got True"),
    ("strategies.frozen.epochs", 0, "epochs: input should be greater than or equal to 1, but got 0"),
    ("strategies.frozen.lr", -0.1, "strategies.frozen.lr: input should be greater than 0, but got -0.1"),
    ("strategies.frozen.nesterov", "yes", "nesterov: input should be a valid boolean, but got 'yes'"),
    ("strategies.frozen.dropout", 1.0, "strategies.frozen.dropout: input should be less than 1, but got 1.0"),
    ("strategies.frozen.optimizer", "adan", "'adam', 'adamw', 'sgd' or 'rmsprop', but got 'adan'"),
    ("strategies.frozen.train", "some", "strategies.frozen.train: input should be 'none', 'head' or 'all'"),
    ("strategies.frozen.train", {"last": 0}, "train.last: input should be greater than or equal to 1, but got 0"),
    ("strategies.frozen.train", {"first": 1, "last": 1}, "strategies.frozen.train.first: unknown key"),
    ("strategies.frozen.schedule", "linear", "strategies.frozen.schedule.kind: input should be 'constant', 'step'"),
    ("strategies.frozen.loss", 3, "strategies.frozen.loss: expected a section of keys and values, but got 3"),
    ("data.layout", "csv", "data.layout.kind: input should be 'auto', 'one_hot_csv', 'class_folders'"),
    ("data", 5, "data: expected a section of keys and values, but got 5"),
    ("data.image_size", 8, "data.image_size: input should be greater than or equal to 16, but got 8"),
    ("augmentation.none.views", "always", "augmentation.none.views: input should be 'fresh', but got 'always'"),
    ("augmentation.none.views", 0, "augmentation.none.views: input should be greater than or equal to 1, but got 0"),
    ("augmentation.none.transforms", [{"Rotate": {}, "Blur": {}}], "transforms[0]: expected one transform"),
    ("augmentation.none.transforms", ["Rotate"], "none.transforms.0: expected a section of keys and values"),
    ("augmentation", {}, "augmentation: dictionary should have at least 1 item"),
    ("variants.head_only", None, "variants.head_only: expected a section of keys and values, but got None"),
    ("training.seeds", [], "training.seeds: list should have at least 1 item"),
    ("training.seeds", [-1], "training.seeds.0: input should be greater than or equal to 0, but got -1"),
    ("study.seed", -1, "study.seed: input should be greater than or equal to 0, but got -1"),
    ("study.name", "My study", "study.name: string should match pattern"),
    ("comparison.metric", "acuracy", "comparison.metric: input should be 'accuracy', 'balanced_accuracy'"),
    ("comparison.resamples", 10, "comparison.resamples: input should be greater than or equal to 200, but got 10"),
]

WRONG_TOGETHER = [
    ("data.source", "phantom", "data: source: phantom needs a section data.phantom"),
    ("data.source", "kaggle", "data: source: kaggle needs a section data.kaggle"),
    ("data.kaggle", {}, "data.kaggle: expected either dataset, with its version, or competition"),
    ("data.kaggle", {"dataset": "a/b"}, "data.kaggle: dataset needs a version: the number on its page"),
    (
        "data.kaggle",
        {"competition": "a", "version": 1},
        "data.kaggle: version belongs to dataset; a competition has none",
    ),
    ("data.kaggle", {"competition": "a", "dataset": "b/c", "version": 1}, "data.kaggle: expected either dataset"),
    ("data.layout", "label_csv", "data.layout: label_csv needs file, image, label: the CSV file and its column names"),
    (
        "data.layout",
        {"kind": "class_folders", "label": "plane"},
        "data.layout: file, image, label, split and images belong to label_csv, not to class_folders",
    ),
    ("data.group", {}, "data.group: expected either pattern or column"),
    ("data.group", {"pattern": "a", "column": "b"}, "data.group: expected either pattern or column"),
    ("data.split", {"method": "kfold", "folds": 2}, "data.split: kfold needs folds: 3 or more"),
    (
        "data.split",
        {"method": "random", "test": 0.6, "validation": 0.4},
        "data.split: test + validation must stay below 1, but are 1",
    ),
    (
        "backbones.cnn_small.pretraining",
        {"epochs": 1},
        "backbones.cnn_small: pretraining belongs to weights: simulated, not to weights: none",
    ),
    (
        "strategies.frozen",
        {"head": "knn", "train": "all"},
        "strategies.frozen: head: knn is fitted on frozen features: it goes with train: head alone",
    ),
    ("strategies.frozen", {"init": "random", "train": {"last": 2}}, "would freeze layers that never learned"),
    ("strategies.frozen", {"backbone_lr": 1e-5}, "backbone_lr needs train: all or {last: N}"),
    ("strategies.frozen", {"nesterov": True}, "nesterov belongs to optimizer: sgd with a momentum above 0"),
    (
        "strategies.frozen",
        {"nesterov": True, "optimizer": "sgd", "momentum": 0.0},
        "nesterov belongs to optimizer: sgd with a momentum above 0",
    ),
    ("training.seeds", [1, 2, 1], "training: seeds must differ, but are [1, 2, 1]"),
    ("variants.head_only", LINE | {"backbone": "resnet81"}, "no 'resnet81' in backbones; did you mean 'resnet18'?"),
    (
        "variants.head_only",
        LINE | {"strategy": "xyz"},
        "variants.head_only.strategy: no 'xyz' in strategies; there are frozen, prototypes, scratch",
    ),
    (
        "variants.head_only",
        LINE | {"augmentation": "cutmxi"},
        "variants.head_only.augmentation: no 'cutmxi' in augmentation; did you mean 'cutmix'?",
    ),
    ("variants.Head", LINE, "variants.Head: names match [a-z0-9_]+"),
    ("backbones.res-net", {"weights": "none"}, "backbones.res-net: names match [a-z0-9_]+"),
    ("variants.majority", LINE, "variants.majority: 'majority' is the name of a baseline row; choose another"),
    (
        "variants.nearest_neighbour",
        LINE,
        "variants.nearest_neighbour: 'nearest_neighbour' is the name of a baseline row; choose another",
    ),
    (
        "variants.head_only",
        LINE | {"backbone": "cnn_small"},
        "variants.head_only: init: pretrained needs weights, but backbones.cnn_small.weights is none; "
        "give weights, or use a strategy with init: random",
    ),
    (
        "variants.head_only",
        LINE | {"strategy": "prototypes", "augmentation": "cutmix"},
        "variants.head_only: head: prototypes needs hard labels, but cutmix makes soft ones",
    ),
    (
        "variants.head_only",
        LINE | {"augmentation": "cutmix", "shots": 5},
        "variants.head_only: shots: 5 with cutmix would mix in images beyond the shots",
    ),
]

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


def problems_of(raw: Any, where: str = "params.yaml") -> list[str]:
    with pytest.raises(UserError) as raised:
        check_study(raw, where)
    assert all("\n" not in problem and problem.startswith(f"{where}: ") for problem in raised.value.problems)
    return raised.value.problems


def test_a_study_loads_and_its_variants_have_their_parts(params_with: Make) -> None:
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


@pytest.mark.parametrize(("key", "value", "line"), [*WRONG_VALUES, *WRONG_TOGETHER])
def test_each_mistake_is_told_in_one_line(params_with: Make, key: str, value: Any, line: str) -> None:
    (problem,) = problems_of(params_with({key: value}))
    assert line in problem


@pytest.mark.parametrize(
    "key",
    [
        *("study", "data", "augmentation", "backbones", "strategies", "training", "variants", "comparison"),
        *("study.title", "data.leakage", "data.group", "variants.head_only.strategy", "backbones.resnet18.weights"),
    ],
)
def test_what_is_missing_is_named(params_with: Make, key: str) -> None:
    assert problems_of(params_with(without=key)) == [f"params.yaml: {key}: missing"]


@pytest.mark.parametrize("raw", [None, [], "text", 3])
def test_a_file_that_is_no_table_of_sections_is_told_so(raw: Any) -> None:
    assert problems_of(raw) == [f"params.yaml: expected a section of keys and values, but got {raw!r}"]


def test_all_wrong_values_are_listed_at_once(params_with: Make) -> None:
    found = problems_of(params_with({"data.colour": 1, "study.seed": "x", "strategies.frozen.lr": 0}, "training"))
    assert sorted(line.split(": ")[1] for line in found) == [
        "data.colour",
        "strategies.frozen.lr",
        "study.seed",
        "training",
    ]


def test_all_wrong_names_and_combinations_are_listed_at_once(params_with: Make) -> None:
    lines = {
        "variants.Bad-Name": LINE,
        "variants.two": LINE | {"backbone": "x", "strategy": "y"},
        "variants.three": LINE | {"epochs": 0},
        "variants.four": LINE | {"strategy": "prototypes", "augmentation": "cutmix", "shots": 1},
    }
    found = problems_of(params_with(lines))
    assert [line.split(": ")[1] for line in found] == [
        "variants.Bad-Name",
        "variants.two.backbone",
        "variants.two.strategy",
        "variants.three.epochs",
        "variants.four",
        "variants.four",
    ]


def test_a_fitted_head_needs_kept_views(params_with: Make) -> None:
    changes = {
        "augmentation.fresh": {"views": "fresh", "transforms": [{"HorizontalFlip": {}}]},
        "variants.head_only": LINE | {"strategy": "prototypes", "augmentation": "fresh"},
    }
    assert problems_of(params_with(changes)) == [
        "params.yaml: variants.head_only: head: prototypes is fitted once on kept views; "
        "give the policy a number of views"
    ]


def test_a_section_of_one_kind_may_be_that_word_alone(params_with: Make) -> None:
    short = check_study(params_with({"strategies.frozen.loss": "binary_cross_entropy"}), "short")
    long = check_study(
        params_with(
            {"strategies.frozen.loss": {"kind": "binary_cross_entropy"}, "data.layout": {"kind": "class_folders"}}
        ),
        "long",
    )
    assert short.params == long.params


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


def test_a_variant_that_is_not_there_is_asked_for_by_a_near_name(params_with: Make) -> None:
    study = check_study(params_with(), "params.yaml")
    with pytest.raises(UserError, match=re.escape("no 'head_olny' in params.yaml; did you mean 'head_only'?")):
        study.variant("head_olny")


def test_near_names_are_offered_before_a_list() -> None:
    assert near("resnet5", ["vgg16", "resnet50"]) == "; did you mean 'resnet50'?"
    assert near("zzz", ["b", "a"]) == "; there are a, b"
    assert near("zzz", [f"n{number:02}" for number in range(20)]).endswith("n10, n11 …")


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    with pytest.raises(UserError) as raised:
        load_study(path)
    assert raised.value.problems == [f"{path}: no such file; `medtransfer use NAME` puts a study in force"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"study: {name: a", "not valid YAML: "),
        (b"study: 1\nstudy: 2\n", "not valid YAML: "),
        (b"study: \xff\xfe\n", "expected UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_parsed_is_one_line(tmp_path: Path, content: bytes, line: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as raised:
        load_study(path)
    (problem,) = raised.value.problems
    assert problem.startswith(f"{path}: {line}")
    assert "\n" not in problem


def test_a_file_on_disk_loads_as_its_values_do(tmp_path: Path, study_text: str, params_with: Make) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(study_text, encoding="utf-8")
    assert load_study(path).params == check_study(params_with(), "x").params
