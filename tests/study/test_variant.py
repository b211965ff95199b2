"""Resolved variants are equal exactly if their trainings are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from small_study import params_with

from medtransfer.study import Variant, check_study


def head_only(values: dict[str, Any]) -> Variant:
    return check_study(values, "params.yaml").variant("head_only")


def test_the_key_is_canonical_json_of_all_parts() -> None:
    found = json.loads(head_only(params_with()).key())
    assert found["model"] == "resnet18"
    assert found["backbone"]["weights"] == "DEFAULT"
    assert found["strategy"]["lr"] == 1e-4
    assert found["augmentation"]["mix"] == {"method": "cutmix", "alpha": 1.0, "probability": 1.0}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("study.title", "Another title"),
        ("strategies.scratch.epochs", 9),
        ("strategies.frozen.schedule", {"kind": "cosine", "warmup": 0}),
        ("strategies.frozen.batch_size", 32),
        ("backbones.resnet18.model", "resnet18"),
        ("comparison.resamples", 999),
    ],
)
def test_changes_that_mean_the_same_training_keep_the_key(key: str, value: Any) -> None:
    changed = head_only(params_with({key: value})).resolved()
    original = head_only(params_with()).resolved()
    changed["backbone"]["model"] = original["backbone"]["model"] = None
    assert changed == original


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("strategies.frozen.lr", 2e-4),
        ("backbones.resnet18.weights", "IMAGENET1K_V1"),
        ("backbones.resnet18.normalise", "train"),
        ("backbones.resnet18.model", "resnet34"),
        ("augmentation.cutmix.views", 4),
        ("augmentation.cutmix.transforms", [{"HorizontalFlip": {"p": 0.5}}]),
        ("augmentation.cutmix.mix", {"method": "cutmix", "alpha": 0.5}),
    ],
)
def test_changes_of_the_training_change_the_key(key: str, value: Any) -> None:
    assert head_only(params_with({key: value})).key() != head_only(params_with()).key()


def test_a_backbone_may_name_another_model() -> None:
    assert head_only(params_with({"backbones.resnet18.model": "resnet34"})).model == "resnet34"


@pytest.mark.parametrize("train", ["all", {"last": 3}])
def test_a_card_restores_the_variant(train: Any) -> None:
    values = params_with({"strategies.frozen.train": train})
    original = head_only(values)
    card = json.loads(json.dumps({"variant": original.name} | original.resolved()))
    found = Variant.from_card(card)
    assert (found.name, found.model) == (original.name, original.model)
    assert (found.strategy, found.policy) == (original.strategy, original.policy)
    assert found.backbone == original.backbone.model_copy(update={"model": "resnet18"})
