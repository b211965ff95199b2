"""Effects of factors: the variants that are matched, and the means of their differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from medtransfer.comparison.effects import factor_effects, matched_pairs
from medtransfer.comparison.evaluation_set import EvaluationSet, draw_evaluation_set
from medtransfer.comparison.scores import Scores, score
from medtransfer.study import Study, check_study

from .conftest import CLASSES, drawn_predictions

STRATEGIES = {
    "adam": {"train": "all"},
    "sgd": {"train": "all", "optimizer": "sgd"},
    "probe": {"train": "head", "epochs": 5},
}


def study_of(variants: dict[str, dict[str, Any]]) -> Study:
    defaults = {"backbone": "resnet18", "strategy": "adam", "augmentation": "none"}
    return check_study(
        {
            "study": {"name": "grid", "title": "A grid"},
            "data": {
                "source": "folder",
                "folder": "somewhere",
                "layout": "class_folders",
                "group": None,
                "image_size": 32,
                "resize": "stretch",
                "split": {"method": "random"},
                "leakage": "fail",
            },
            "augmentation": {name: {"views": 1, "transforms": []} for name in ("none", "flips")},
            "backbones": {"resnet18": {"weights": "DEFAULT"}, "resnet50": {"weights": "DEFAULT"}},
            "strategies": STRATEGIES,
            "training": {},
            "variants": {name: defaults | parts for name, parts in variants.items()},
            "explain": {"variants": []},
            "comparison": {},
        },
        "params.yaml",
    )


def grid() -> dict[str, dict[str, Any]]:
    return {
        f"{backbone}_{strategy}": {"backbone": backbone, "strategy": strategy}
        for backbone in ("resnet50", "resnet18")
        for strategy in STRATEGIES
    }


def test_variants_are_matched_if_all_else_is_equal() -> None:
    found = matched_pairs(study_of(grid()))
    assert found["backbone", "resnet18", "resnet50"] == [
        (f"resnet18_{strategy}", f"resnet50_{strategy}") for strategy in STRATEGIES
    ]
    pairs = [(f"{backbone}_adam", f"{backbone}_sgd") for backbone in ("resnet50", "resnet18")]
    assert found["optimizer", "adam", "sgd"] == pairs
    assert found["strategy", "adam", "probe"] == [(a, a.replace("adam", "probe")) for a, _ in pairs]
    assert set(found) == {
        ("backbone", "resnet18", "resnet50"),
        ("optimizer", "adam", "sgd"),
        ("strategy", "adam", "probe"),
        ("strategy", "probe", "sgd"),
    }


def test_one_overridden_field_is_a_factor_and_two_are_not() -> None:
    lines = {
        "slow": {"lr": 1.0e-4},
        "fast": {"lr": 1.0e-2},
        "both": {"lr": 1.0e-3, "epochs": 3},
        "last": {"train": {"last": 3}},
        "stepped": {"schedule": {"kind": "step", "every": 3}},
    }
    found = matched_pairs(study_of(lines))
    assert ("lr", "0.0001", "0.01") in found
    assert not any("both" in pair for pairs in found.values() for pair in pairs)
    variants = {"whole": {}, **lines}
    found = matched_pairs(study_of(variants))
    assert found["train", "all", "last 3"] == [("whole", "last")]
    assert found["schedule", "constant", "step, every 3"] == [("whole", "stepped")]


def scores_of(study: Study) -> tuple[dict[str, Scores], EvaluationSet]:
    tests = {name: drawn_predictions(1.0, key, 2).of_role("test") for key, name in enumerate(study.variants)}
    images = next(iter(tests.values())).images
    test = draw_evaluation_set(images, tuple(CLASSES), 200, np.random.default_rng(0))
    return {name: score(found, test) for name, found in tests.items()}, test


def test_an_effect_is_the_mean_over_contexts_with_its_extremes() -> None:
    study = study_of(grid())
    scores, test = scores_of(study)
    table = factor_effects(study, scores, ("accuracy",), test).set_index(["factor", "a", "b"])
    row = table.loc["backbone", "resnet18", "resnet50"]
    gaps = [
        scores[f"resnet18_{name}"].estimates["accuracy"].value - scores[f"resnet50_{name}"].estimates["accuracy"].value
        for name in STRATEGIES
    ]
    assert row["contexts"] == 3
    assert row["difference"] == pytest.approx(np.mean(gaps))
    assert (row["smallest"], row["largest"]) == pytest.approx((min(gaps), max(gaps)))
    assert row["low"] < row["difference"] < row["high"]
    assert (table["p_corrected"] >= table["p"]).all()


def test_variants_without_a_grid_have_no_effects() -> None:
    study = study_of({"one": {}, "other": {"backbone": "resnet50", "strategy": "sgd"}, "third": {"strategy": "probe"}})
    scores, test = scores_of(study)
    assert factor_effects(study, scores, ("accuracy",), test).empty
