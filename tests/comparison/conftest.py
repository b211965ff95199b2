"""A finished study without training: predictions, metrics, cards and costs as the stages write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scored import predictions_frame

from medtransfer.study import Study, check_study
from medtransfer.tasks.classes.predictions import ClassPredictions
from medtransfer.tasks.predictions import write_rows
from medtransfer.util.files import write_json, write_text
from medtransfer.util.places import Places

SKILL = {"strong": 2.5, "twin": 2.5, "weak": 0.6, "constant": 0.0, "nearest_neighbour": 1.0}
"""How far the score of an image's own class is above the others, in standard deviations."""

CLASSES = ["cyst", "mass", "normal"]
IMAGES, GROUP = 90, 3


@pytest.fixture
def study_with() -> Callable[..., Study]:
    """Return a function that makes a study of three variants and two backbones, its comparison perhaps changed."""

    def make(**comparison: Any) -> Study:
        return check_study(
            {
                "study": {"name": "tiny", "title": "A tiny study", "seed": 3},
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
                "augmentation": {"none": {"views": 1, "transforms": []}},
                "backbones": {"small": {"model": "cnn_small", "weights": "none"}, "resnet18": {"weights": "DEFAULT"}},
                "strategies": {"scratch": {"init": "random", "train": "all"}, "frozen": {"train": "head"}},
                "training": {"seeds": [0, 1]},
                "variants": {
                    "weak": {"backbone": "small", "strategy": "scratch", "augmentation": "none"},
                    "strong": {"backbone": "resnet18", "strategy": "frozen", "augmentation": "none"},
                    "twin": {"backbone": "resnet18", "strategy": "scratch", "augmentation": "none"},
                },
                "explain": {"variants": []},
                "comparison": {"metric": "accuracy", "resamples": 300} | comparison,
            },
            "params.yaml",
        )

    return make


@pytest.fixture
def finish(tmp_path: Path) -> Callable[..., Places]:
    """Return a function that writes the files of a finished study: 30 groups of three images, two runs per variant.

    With two `classes` it is a binary task; with `folds`, the groups take turns in testing.
    """

    def write(classes: int = 3, folds: int = 1) -> Places:
        places = Places(tmp_path)
        for number, (name, skill) in enumerate(SKILL.items()):
            baseline = name in ("constant", "nearest_neighbour")
            predictions = drawn_predictions(skill, number, 1 if baseline else 2, classes, folds)
            write_rows(places.predictions(name), [predictions.table])
            write_json(places.metrics(name), predictions.tests.summary())
            if not baseline:
                _write_training(places, name, 1000 * (number + 1))
        _write_prepared(places, classes, folds)
        return places

    return write


@pytest.fixture
def finished(finish: Callable[..., Places]) -> Places:
    """Return the files of a finished study of three classes, with one fold."""
    return finish()


def drawn_predictions(skill: float, key: int, runs: int, classes: int = 3, folds: int = 1) -> ClassPredictions:
    """Draw predictions of a given skill: test rows, and validation rows of other images, for each fold and seed."""
    frames = []
    fold_of_image = np.arange(IMAGES) // (GROUP * classes) % folds
    for seed in range(runs):
        for fold in range(folds):
            rng = np.random.default_rng([key, seed, fold])
            test = np.flatnonzero(fold_of_image == fold)
            frames.append(_frame(rng, skill, classes, test, fold, seed, "test"))
            frames.append(_frame(rng, skill, classes, np.arange(1000, 1045), fold, seed, "validation"))
    return ClassPredictions(pd.concat(frames, ignore_index=True))


def _frame(
    rng: np.random.Generator, skill: float, classes: int, numbers: np.ndarray, fold: int, seed: int, role: str
) -> pd.DataFrame:
    labels = numbers // GROUP % classes
    images = pd.DataFrame({"path": [f"image{number:03}.png" for number in numbers], "label_index": labels})
    images["group"] = [f"patient{number // GROUP:02}" for number in numbers]
    logits = rng.normal(size=(len(numbers), classes)) + skill * np.eye(classes)[labels]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return predictions_frame(images, scores, CLASSES[:classes], fold, seed, role)


def _write_prepared(places: Places, classes: int, folds: int) -> None:
    warnings = ["LEAKAGE: 2 groups stand in two splits"]
    write_json(places.prepared / "dataset.json", {"warnings": warnings, "folds": folds})
    write_json(places.results / "data.json", {"images": 300, "groups": 100})
    numbers = np.arange(IMAGES)
    split, fold = ("rotating", numbers // (GROUP * classes) % folds) if folds > 1 else ("test", -1)
    table = pd.DataFrame({"path": [f"image{number:03}.png" for number in numbers], "split": split, "fold": fold})
    table.to_parquet(places.prepared / "table.parquet")


def _write_training(places: Places, name: str, parameters: int) -> None:
    sizes = {"parameters": parameters, "trainable_parameters": parameters // 2, "multiply_adds": 10 * parameters}
    card = {"runs": [{"fold": 0, "seed": 0}, {"fold": 0, "seed": 1}], "precision": "float32"} | sizes
    write_json(places.model(name) / "card.json", card)
    header = "fold,seed,epoch,train_loss,validation_loss,validation_accuracy\n"
    rows = [f"0,{seed},{epoch},{1 / (epoch + 1)},{2 / (epoch + 1)},0.5" for seed in (0, 1) for epoch in (0, 1)]
    write_text(places.model(name) / "history.csv", header + "\n".join(rows) + "\n")
    cost = {
        "runs": [{}, {}],
        "frozen_seconds": 3.21,
        "train_seconds": 12.34,
        "stage_seconds": 20.0,
        "seconds_an_image": 0.0123,
        "peak_memory_mb": 512.4,
        "device": "cpu",
        "threads": 2,
    }
    write_json(places.root / "metrics" / "cost" / f"{name}.json", cost)
