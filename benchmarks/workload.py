"""Shared parts of the training benchmarks: a prepared set, weights and variants.

Real images and weights are read from `../shared` or the folder MEDTRANSFER_SHARED. Without it, images are simulated and
weights random, which takes the same time but says nothing about accuracy.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from fetal_phantom import write_phantom
from medtransfer.augmentation.store import Views, open_views, write_views
from medtransfer.comparison.evaluation_set import draw_evaluation_set
from medtransfer.comparison.scores import Estimate, score
from medtransfer.data.prepare import prepare
from medtransfer.data.prepared import Prepared
from medtransfer.deployment.trained import predict_variant
from medtransfer.models.assemble import Weights
from medtransfer.models.families import build_backbone
from medtransfer.models.weights import obtain_weights, save_state
from medtransfer.models.weights_card import without_weights
from medtransfer.study import Backbone, Data, Policy, Strategy, Variant
from medtransfer.tasks import TASKS
from medtransfer.training.runs import Inputs
from medtransfer.training.variant import train_variant
from medtransfer.util.compute import Compute, choose_compute
from medtransfer.util.files import sha256_of_file
from medtransfer.util.hardware import cpu_count, keep_freed_memory
from medtransfer.util.places import Places
from medtransfer.util.seeds import generator

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("MEDTRANSFER_SHARED", ROOT.parent / "shared"))
FILES = {"pixels": "images.npy", "table": "table.parquet"}
TRANSFORMS = [{"HorizontalFlip": {"p": 0.5}}, {"Rotate": {"limit": 15, "p": 1.0}}]
SETS: dict[str, dict[str, Any]] = {
    "fetal_head": {"layout": "one_hot_csv", "group": {"pattern": "^(.+?)_aug_"}, "leakage": "report"},
    "brain_mri": {"layout": "class_folders", "split": {"method": "random", "test": 0.4, "validation": 0.12}},
    "phantom": {"layout": "one_hot_csv", "group": {"pattern": r"^(patient\d+)_"}},
}
DATA = {
    "source": "folder",
    "folder": ".",
    "masks": None,
    "group": None,
    "image_size": 224,
    "resize": "stretch",
    "split": {"method": "published"},
    "leakage": "fail",
}


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a temporary folder for everything, including features and checkpoints; keep memory as stages do."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as name:
        os.environ["DVC_ROOT"] = name
        yield Path(name)


def prepared_set(folder: Path, name: str = "fetal_head", **data: Any) -> Prepared:
    """Prepare a set of `../shared`, or the phantom if it is missing; `data` overrides its parameters."""
    raw = SHARED / "data" / name
    if not raw.is_dir():
        name, raw = "phantom", folder / "raw"
        write_phantom(raw, patients=200, frames=5, size=224, difficulty=0.3, split_by="patient", seed=0)
    prepare(raw, Data.model_validate(DATA | SETS[name] | data), 0, Places(folder))
    return Prepared(Places(folder).prepared)


def part_of(prepared: Prepared, folder: Path, rows: np.ndarray) -> Prepared:
    """Write a set that consists of some rows."""
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", prepared.images[rows])
    prepared.table.iloc[rows].reset_index(drop=True).to_parquet(folder / "table.parquet")
    hashes = {f"{kind}_sha256": sha256_of_file(folder / file) for kind, file in FILES.items()}
    (folder / "dataset.json").write_text(json.dumps(prepared.about | hashes), encoding="utf-8")
    return Prepared(folder)


def first_rows(prepared: Prepared, train: int, validation: int, test: int) -> np.ndarray:
    """Return the indices of the given number of rows of each role, evenly spaced."""
    roles = prepared.roles(0)
    parts = zip((roles.train, roles.validation, roles.test), (train, validation, test), strict=True)
    return np.sort(np.concatenate([rows[np.linspace(0, len(rows) - 1, count).astype(int)] for rows, count in parts]))


def weights_of(model: str, folder: Path) -> Weights:
    """Read a backbone's weights from `../shared`; draw random ones from a fixed seed if it is missing."""
    path = SHARED / "weights" / f"{model}.safetensors"
    if path.is_file():
        state, card = obtain_weights(model, Backbone(weights=str(path), model=model), None)
    else:
        torch.manual_seed(0)
        state, card = build_backbone(model, 224).state_dict(), without_weights(model)
    folder.mkdir(parents=True, exist_ok=True)
    save_state(state, folder / f"{model}.safetensors")
    return Weights(state, card, folder / f"{model}.safetensors")


def policy_of(views: int | str) -> Policy:
    """Return flips and rotations with the given number of views per image; 0 means no augmentation."""
    return Policy.model_validate({"views": views or 1, "transforms": TRANSFORMS if views else []})


def drawn(prepared: Prepared, policy: Policy, folder: Path) -> Views:
    """Write the views of a policy and open them; fresh ones are drawn on demand."""
    write_views(prepared, policy, 0, folder)
    return open_views(prepared, policy, 0)


def inputs_of(
    prepared: Prepared, views: Views, policy: Policy, weights: Weights, seeds: list[int], **strategy: Any
) -> Inputs:
    """Return the inputs of a variant: a strategy on pretrained weights."""
    model = weights.card.model
    fields = Strategy.model_validate({"train": "head"} | strategy)
    variant = Variant("benchmark", model, Backbone(weights="none"), "benchmark", fields, "benchmark", policy)
    return Inputs(variant, TASKS[prepared.task], prepared, views, weights, compute(), seeds, 0)


def with_rate(inputs: Inputs, lr: float) -> Inputs:
    """Return the same variant with another learning rate."""
    strategy = inputs.variant.strategy.model_copy(update={"lr": lr})
    return replace(inputs, variant=replace(inputs.variant, name=f"lr {lr}", strategy=strategy))


def compute() -> Compute:
    """Choose the device as a stage does."""
    return choose_compute("auto")


def train(inputs: Inputs, folder: Path) -> None:
    """Train one variant as its stage does."""
    train_variant(inputs, folder / "model", folder / "cost.json", lambda *_: None)


def test_probabilities(inputs: Inputs, folder: Path) -> np.ndarray:
    """Return the test probabilities of a trained variant: [runs, images, classes]."""
    frame = pd.concat(predict_variant(inputs.variant, inputs.prepared, folder / "model", compute()))
    test = frame[frame["role"] == "test"]
    columns = [name for name in test if name.startswith("p_")]
    return np.stack([rows[columns].to_numpy() for _, rows in test.groupby(["fold", "seed"])])


def estimates_of(predictions: pd.DataFrame, metrics: list[str], task: str = "classification") -> dict[str, Estimate]:
    """Estimate metrics on the test rows of predictions, as the comparison of a study does."""
    tests = TASKS[task].predictions(predictions).tests
    members = tests.members if tests.classes else None
    test = draw_evaluation_set(tests.images, tuple(tests.classes), 2000, generator("bootstrap", 0), members)
    return score(tests, test, only=metrics).estimates


def largest_difference(inputs: Inputs, plain: np.ndarray, folder: Path) -> float:
    """Train as the plain loop did; return the largest difference in test probabilities, for the first run."""
    train(inputs, folder)
    return float(np.abs(test_probabilities(inputs, folder)[0] - plain).max())


def seconds(function: Callable[[], object]) -> float:
    """Time one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def medians(repeats: int, **functions: Callable[[], object]) -> dict[str, float]:
    """Time functions in turn, `repeats` times, so that other load affects all alike; return the median of each."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            times[name].append(seconds(function))
    return {name: statistics.median(found) for name, found in times.items()}


def about(prepared: Prepared, name: str = "fetal_head") -> str:
    """Describe the images and weights in one sentence."""
    real = (SHARED / "data" / name).is_dir()
    images = f"{name}, real weights" if real else "Simulated images, random weights"
    count, size = prepared.images.shape[:2]
    return f"{images}: {count:,} images of {len(prepared.classes)} classes, {size} px."


def publish(name: str, *parts: str, keep: bool = True) -> None:
    """Print a page of results; if `keep`, write it to `results`, or to `results/cuda` if measured on a GPU."""
    machine = f"{compute().name()}, {cpu_count()} CPU cores, torch {torch.__version__}. `python benchmarks/{name}.py`"
    text = "\n\n".join([*parts, machine])
    print(text)
    if keep:
        folder = ROOT / "benchmarks/results"
        folder = folder / "cuda" if compute().device.type == "cuda" else folder
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.md").write_text(text + "\n", encoding="utf-8")
