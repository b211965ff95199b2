"""Each mistake in a parameter file is one line, with the key and the remedy."""

from __future__ import annotations

from typing import Any

import pytest
from small_study import LINE, params_with, problems_of

WRONG_VALUES = [
    ("data.colour", "grey", "data.colour: unknown key"),
    ("data.split.tset", 0.2, "data.split.tset: unknown key; did you mean 'test'?"),
    ("more", {}, "more: unknown key"),
    ("backbones.resnet18.wghts", "none", "wghts: unknown key; did you mean 'weights'?"),
    ("data.masks", {"foldre": "masks"}, "data.masks.foldre: unknown key; did you mean 'folder'?"),
    ("data.phantom", {"patiens": 40}, "data.phantom.patiens: unknown key; did you mean 'patients'?"),
    ("extensions", ["mine.py"], "extensions.0: string should match pattern '^extensions/"),
    ("strategies.frozen.epochs", "5", "strategies.frozen.epochs: expected a whole number, but got '5'"),
    ("strategies.frozen.epochs", 5.0, "strategies.frozen.epochs: expected a whole number, but got 5.0"),
    ("strategies.frozen.epochs", True, "strategies.frozen.epochs: expected a whole number, but got True"),
    ("strategies.frozen.epochs", 0, "epochs: input should be greater than or equal to 1, but got 0"),
    ("strategies.frozen.lr", -0.1, "strategies.frozen.lr: input should be greater than 0, but got -0.1"),
    ("strategies.frozen.lr_search", [0.1], "lr_search: expected 2 or more entries"),
    (
        "strategies.frozen.prompts",
        {"templates": ["a photo"], "classes": {"a": ["b"], "c": ["d"]}},
        "templates.0: expected {} in place of the word",
    ),
    ("strategies.frozen.lr", "fast", "strategies.frozen.lr: expected a number, but got 'fast'"),
    ("training.seeds", 3, "training.seeds: expected a list, such as [0], but got 3"),
    ("training.seeds", [], "training.seeds: expected 1 or more entries, but got []"),
    ("strategies.frozen.nesterov", "yes", "nesterov: expected true or false, but got 'yes'"),
    ("strategies.frozen.dropout", 1.0, "strategies.frozen.dropout: input should be less than 1, but got 1.0"),
    (
        "strategies.frozen.train",
        "some",
        "strategies.frozen.train: input should be 'none', 'head', 'norms', 'biases' or 'all'",
    ),
    ("strategies.frozen.train", {"last": 0}, "train.last: input should be greater than or equal to 1, but got 0"),
    ("strategies.frozen.train", {"first": 1, "last": 1}, "strategies.frozen.train.first: unknown key"),
    ("strategies.frozen.loss", 3, "strategies.frozen.loss: expected a section of keys and values, but got 3"),
    ("data.layout", {"kind": 3}, "data.layout.kind: expected a text, but got 3"),
    ("data", 5, "data: expected a section of keys and values, but got 5"),
    ("data.image_size", 8, "data.image_size: input should be greater than or equal to 16, but got 8"),
    ("augmentation.none.views", "always", "augmentation.none.views: input should be 'fresh', but got 'always'"),
    ("augmentation.none.views", 0, "augmentation.none.views: input should be greater than or equal to 1, but got 0"),
    ("augmentation.none.transforms", [{"Rotate": {}, "Blur": {}}], "transforms[0]: expected one transform"),
    ("augmentation.none.transforms", ["Rotate"], "none.transforms.0: expected a section of keys and values"),
    ("augmentation", {}, "augmentation: expected 1 or more entries, but got {}"),
    ("variants.head_only", None, "variants.head_only: expected a section of keys and values, but got nothing"),
    ("training.seeds", [-1], "training.seeds.0: input should be greater than or equal to 0, but got -1"),
    ("study.seed", -1, "study.seed: input should be greater than or equal to 0, but got -1"),
    ("study.name", "My study", "study.name: string should match pattern"),
    ("comparison.resamples", 10, "comparison.resamples: input should be greater than or equal to 200, but got 10"),
]

WRONG_TOGETHER = [
    (
        "strategies.frozen.search",
        {"space": {"lr": [1e-3, 1e-2]}, "sampler": "grid", "trials": 3},
        "strategies.frozen.search: trials: the grid has 2 combinations; omit trials",
    ),
    (
        "strategies.frozen.search",
        {"space": {"lr": {"log": [0.0, 1e-2]}}},
        "strategies.frozen.search.space.lr: log: numbers must be above 0, but got 0",
    ),
    (
        "strategies.frozen.search",
        {"space": {"lr": {"log": [1e-3, 1e-2]}}, "sampler": "grid"},
        "strategies.frozen.search: space.lr: sampler: grid needs a list of values",
    ),
    (
        "strategies.frozen.search",
        {"space": {"epochs": [1, 2]}},
        "strategies.frozen: search.space.epochs: it cannot be searched; numbers of the optimizer and the",
    ),
    (
        "strategies.frozen.search",
        {"space": {"dropout": {"linear": [0.0, 1.5]}}},
        "strategies.frozen: search.space.dropout: Input should be less than 1, at dropout 1.5",
    ),
    (
        "strategies.frozen",
        {"search": {"space": {"lr": [0.1]}}, "lr_search": [0.1, 0.2]},
        "strategies.frozen: search and lr_search exclude each other",
    ),
    ("strategies.frozen.fraction", [0.5, 0.1], "strategies.frozen: fraction: fractions must rise, but are [0.5, 0.1]"),
    ("strategies.frozen.lr_search", [0.1, 0.1], "strategies.frozen.lr_search: expected each once, but got [0.1, 0.1]"),
    (
        "strategies.scratch.feature_search",
        {"blocks": [1], "poolings": ["avg"]},
        "strategies.scratch: feature_search is for a head on frozen features",
    ),
    (
        "strategies.frozen.feature_search",
        {"blocks": [1, 1], "poolings": ["avg"]},
        "strategies.frozen.feature_search.blocks: expected each once, but got [1, 1]",
    ),
    (
        "strategies.frozen.gradient_checkpointing",
        True,
        "strategies.frozen: gradient_checkpointing needs train: all",
    ),
    (
        "strategies.scratch.schedule",
        {"kind": "cosine", "warmup": 99},
        "strategies.scratch: schedule.warmup: 99 epochs never",
    ),
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
    ("data.masks", "no", "data.masks: expected a section of keys and values, but got 'no'"),
    ("data.masks", {"folder": "../m"}, "data.masks.folder: expected the name of a folder of the set, but got ../m"),
    (
        "data.masks",
        {"classes": {"a": "red"}},
        "classes: expected grey values of 0 or more, or colours such as '#ff0000'",
    ),
    ("data.masks", {"classes": {"a": "#ff0000", "b": 2}}, "data.masks: classes: expected grey values or colours"),
    ("data.masks", {"classes": {"a": 1, "b": 1}}, "data.masks: classes: expected a different value for each class"),
    ("data.masks", {"classes": {"a": -1}}, "such as '#ff0000', but got -1"),
    ("data.masks", {"classes": {"a": True}}, "such as '#ff0000', but got True"),
    ("data.masks", {"spacing": {"file": "a.csv"}}, "data.masks.spacing: expected a number of mm, or file, image and"),
    ("data.masks", {"spacing": 0}, "data.masks.spacing.mm: input should be greater than 0"),
    ("data.group", {}, "data.group: expected one of pattern, column, dicom, folder"),
    ("data.group", {"pattern": "a", "column": "b"}, "data.group: expected one of pattern, column, dicom, folder"),
    ("data.group", {"pattern": "(p"}, "data.group: pattern: '(p' is not a valid regular expression: "),
    ("data.split", {"method": "kfold", "folds": 2}, "data.split: kfold needs folds: 3 or more"),
    (
        "data.split",
        {"method": "random", "test": 0.6, "validation": 0.4},
        "data.split: test + validation must be below 1, but are 1",
    ),
    (
        "backbones.cnn_small",
        {"weights": "simulated", "pretraining": {"epochs": 1}},
        "backbones.cnn_small: weights: simulated no longer exists; remove pretraining and name published weights, or",
    ),
    ("strategies.frozen", {"init": "random", "train": {"last": 2}}, "would freeze layers that never learned"),
    ("strategies.frozen", {"init": "random", "train": "norms"}, "would freeze layers that never learned"),
    ("strategies.frozen", {"backbone_lr": 1e-5}, "backbone_lr needs a part of the backbone that trains, but train is"),
    ("strategies.frozen.train", {}, "strategies.frozen.train: expected one of last, last_blocks, lora"),
    ("strategies.frozen.train", {"last": 1, "lora": {}}, "strategies.frozen.train: expected one of last, last_blocks"),
    ("strategies.frozen.train", {"lora": {"rank": 0}}, "strategies.frozen.train.lora.rank: input should be greater"),
    ("strategies.frozen.train", {"lora": {"targets": "qkv"}}, "train.lora.targets: input should be 'attention' or"),
    (
        "strategies.frozen",
        {"nesterov": True, "optimizer": "sgd", "momentum": 0.0},
        "nesterov needs a momentum above 0",
    ),
    ("explain", {"methods": ["grad_cam"]}, "explain.variants: missing; dvc.yaml needs the list, even if it is empty"),
    ("explain", {"variants": ["head_onyl"]}, "explain.variants: no 'head_onyl' in variants; did you mean 'head_only'?"),
    ("explain.blocks", {"resnet81": "a"}, "explain.blocks: no 'resnet81' in backbones; did you mean 'resnet18'?"),
    ("explain.images", ["a", "a"], "explain.images: expected each once, but got ['a', 'a']"),
    ("comparison.tta", {"head_onyl": {}}, "comparison.tta: no 'head_onyl' in variants; did you mean 'head_only'?"),
    ("comparison.tta", {"head_only": {"views": 1}}, "comparison.tta.head_only.views: input should be greater than or"),
    ("explain.methods", [], "explain.methods: expected 1 or more entries"),
    ("data.order", ["a", "b", "a"], "data.order: expected each once, but got ['a', 'b', 'a']"),
    (
        "strategies.frozen",
        {"sampler": "balanced", "loss": {"class_weights": "balanced"}},
        "strategies.frozen: sampler: balanced and loss.class_weights: balanced both correct frequencies; use one",
    ),
    (
        "comparison.metric",
        "cost_weighted_accuracy",
        "comparison: metric: cost_weighted_accuracy needs comparison.costs",
    ),
    ("comparison.costs", {"a": {"b": 1.0}, "b": {}}, "comparison: costs: 'b': no cost of predicting 'a'; expected a"),
    ("comparison.costs", {"a": {"b": 1.0, "c": 1.0}, "b": {"a": 1.0}}, "costs: 'a': no line for the class 'c'"),
    ("comparison.costs", {"a": {"a": 1.0, "b": 1.0}, "b": {"a": 1.0}}, "costs: 'a': a right prediction costs 0, but"),
    ("comparison.costs", {"a": {"b": 0.0}, "b": {"a": 0.0}}, "comparison: costs: at least one must be above 0"),
    ("comparison.costs", {"a": {"b": -1.0}, "b": {"a": 1.0}}, "costs.a.b: input should be greater than or equal to 0"),
    ("training.seeds", [1, 2, 1], "training.seeds: expected each once, but got [1, 2, 1]"),
    ("variants.head_only", LINE | {"backbone": "resnet81"}, "no 'resnet81' in backbones; did you mean 'resnet18'?"),
    (
        "variants.head_only",
        LINE | {"strategy": "xyz"},
        "variants.head_only.strategy: no 'xyz' in strategies; choose from frozen, prototypes, scratch",
    ),
    (
        "variants.head_only",
        LINE | {"augmentation": "cutmxi"},
        "variants.head_only.augmentation: no 'cutmxi' in augmentation; did you mean 'cutmix'?",
    ),
    ("variants.Head", LINE, "variants.Head: names match [a-z0-9_]+"),
    ("backbones.res-net", {"weights": "none"}, "backbones.res-net: names match [a-z0-9_]+"),
    ("variants.constant", LINE, "variants.constant: 'constant' is the name of a baseline row; choose another"),
    (
        "variants.nearest_neighbour",
        LINE,
        "variants.nearest_neighbour: 'nearest_neighbour' is the name of a baseline row; choose another",
    ),
    (
        "variants.head_only",
        LINE | {"backbone": "cnn_small"},
        "variants.head_only: init: pretrained needs weights, but backbones.cnn_small.weights is none; "
        "set weights, or use a strategy with init: random",
    ),
    (
        "variants.head_only",
        LINE | {"augmentation": "cutmix", "shots": 5},
        "variants.head_only: shots: 5 with cutmix would mix in images beyond the shots",
    ),
]


@pytest.mark.parametrize(("key", "value", "line"), [*WRONG_VALUES, *WRONG_TOGETHER])
def test_each_mistake_is_one_line(key: str, value: Any, line: str) -> None:
    (problem,) = problems_of(params_with({key: value}))
    assert line in problem


@pytest.mark.parametrize(
    "key",
    [
        *("study", "data", "augmentation", "backbones", "strategies", "training", "variants", "comparison"),
        *("study.title", "data.leakage", "data.group", "variants.head_only.strategy"),
    ],
)
def test_missing_keys_are_named(key: str) -> None:
    assert problems_of(params_with(without=key)) == [f"params.yaml: {key}: missing"]


@pytest.mark.parametrize("raw", [None, [], "text", 3])
def test_a_file_without_sections_is_an_error(raw: Any) -> None:
    assert problems_of(raw) == [
        f"params.yaml: expected a section of keys and values, but got {'nothing' if raw is None else repr(raw)}"
    ]


def test_all_wrong_values_are_listed_at_once() -> None:
    found = problems_of(params_with({"data.colour": 1, "study.seed": "x", "strategies.frozen.lr": 0}, "training"))
    assert sorted(line.split(": ")[1] for line in found) == [
        "data.colour",
        "strategies.frozen.lr",
        "study.seed",
        "training",
    ]


def test_all_wrong_names_and_combinations_are_listed_at_once() -> None:
    lines = {
        "variants.Bad-Name": LINE,
        "variants.two": LINE | {"backbone": "x", "strategy": "y"},
        "variants.three": LINE | {"epochs": 0},
        "variants.four": LINE | {"backbone": "cnn_small", "augmentation": "cutmix", "shots": 1},
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
