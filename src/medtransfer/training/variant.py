"""Trains all runs of a variant, one for each fold and seed, and writes its models, card, history and cost."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from medtransfer.augmentation.store import StoredViews, Views
from medtransfer.backbones.network import Network, count_multiply_adds, to_channels_first
from medtransfer.compute import Compute
from medtransfer.dataset.prepared import Prepared
from medtransfer.files import atomic_folder, state_folder, write_json
from medtransfer.hardware import cpu_count, peak_memory_mb
from medtransfer.heads.build import fit_head
from medtransfer.progress import progress
from medtransfer.seeding import generator
from medtransfer.study import Variant
from medtransfer.training.assemble import Weights, normalisation
from medtransfer.training.checkpoint import Checkpoint, code_hash, delete_checkpoints
from medtransfer.training.embeddings import FeatureImages, FeatureStore, FeatureViews
from medtransfer.training.examples import Examples, ImageExamples, ViewExamples
from medtransfer.training.loop import Epoch, Fit, Job, fit, loss_and_score
from medtransfer.training.model_files import CARD, HISTORY, run_name, save_run
from medtransfer.training.tasks import TASKS

LATENCY_BATCH, LATENCY_SECONDS, LATENCY_REPEATS = 16, 1.0, 5
CODE = ("training", "backbones", "heads", "augmentation", "seeding.py", "compute.py")

Report = Callable[[int, int, Epoch], None]


@dataclass(frozen=True)
class Inputs:
    """What a variant trains on."""

    variant: Variant
    prepared: Prepared
    views: Views
    weights: Weights
    compute: Compute
    seeds: list[int]
    study_seed: int


def train_variant(inputs: Inputs, folder: Path, cost_path: Path, report: Report) -> None:
    """Train every (fold, seed) of a variant and write `folder` and the cost file.

    `report` hears of every epoch as (fold, seed, epoch). A killed call goes on where it stopped, as long as
    the variant, the data, the weights and the code are the same.
    """
    checkpoints = state_folder() / "checkpoints" / job_key(inputs)
    runs = [(fold, seed) for fold in range(inputs.prepared.folds) for seed in inputs.seeds]
    score = TASKS[inputs.prepared.task].score
    history: list[dict[str, Any]] = []
    cost: dict[str, Any] = {"runs": {}}
    started = time.perf_counter()
    bar = progress(len(runs) * inputs.variant.strategy.epochs, f"train {inputs.variant.name}", "epoch")
    with bar, atomic_folder(folder) as target:
        for fold, seed in runs:

            def hear(epoch: Epoch, fold: int = fold, seed: int = seed) -> None:
                bar.update()
                bar.set_postfix({"loss": f"{epoch.validation_loss:.3f}", score: f"{epoch.validation_score:.3f}"})
                report(fold, seed, epoch)

            network, result = train_run(inputs, fold, seed, Checkpoint(checkpoints, run_name(fold, seed)), hear)
            save_run(target, network, inputs.weights, fold, seed)
            history += [{"fold": fold, "seed": seed, **epoch.named(score)} for epoch in result.epochs]
            cost["runs"][run_name(fold, seed)] = {"seconds": result.seconds, "kept_epoch": result.kept}
        pd.DataFrame(history).to_csv(target / HISTORY, index=False)
        write_json(target / CARD, _card(inputs, network))
    cost |= _cost(inputs, network, cost["runs"], time.perf_counter() - started)
    write_json(cost_path, cost)
    delete_checkpoints(checkpoints)


def train_run(
    inputs: Inputs, fold: int, seed: int, checkpoint: Checkpoint, report: Callable[[Epoch], None]
) -> tuple[Network, Fit]:
    """Train the run of one fold and seed; give its network, on its device and in eval mode, and what happened."""
    prepared, strategy, task = inputs.prepared, inputs.variant.strategy, TASKS[inputs.prepared.task]
    roles = prepared.roles(fold)
    rows = few_shots(prepared, roles.train, strategy.shots, seed, fold)
    normalise = normalisation(inputs.variant, inputs.weights, prepared.images, roles.train)
    network = task.assemble(
        inputs.variant,
        inputs.weights,
        len(task.outputs(prepared)),
        int(prepared.images.shape[1]),
        normalise,
        (seed, fold),
    ).to(inputs.compute.device)
    on_features = task.flat_features and not strategy.trains_backbone and isinstance(inputs.views, StoredViews)
    train: Examples
    validation: Examples
    if on_features:
        train, validation = _feature_examples(inputs, network, rows, roles.validation)
    else:
        train, validation = ViewExamples(inputs.views, rows), ImageExamples(prepared, roles.validation)
    loss = task.loss(strategy.loss, prepared, rows)
    job = Job(task, network, strategy, train, validation, loss, inputs.compute, (seed, fold), on_features)
    if strategy.fits_head or strategy.train == "none":
        return network, _fit_in_one_step(job, report)
    return network, fit(job, checkpoint, report)


def few_shots(prepared: Prepared, rows: np.ndarray, shots: int | None, seed: int, fold: int) -> np.ndarray:
    """Draw `shots` rows of each class, or all where a class has fewer; None keeps every row."""
    if shots is None:
        return rows
    labels = prepared.table["label_index"].to_numpy()[rows]
    drawn = []
    for label in range(len(prepared.classes)):
        candidates = rows[labels == label]
        drawn.append(generator("shots", seed, fold, label).permutation(candidates)[:shots])
    return np.sort(np.concatenate(drawn))


def job_key(inputs: Inputs) -> str:
    """Hash everything that decides a variant's runs beside their fold and seed."""
    about = inputs.prepared.about
    parts = {
        "variant": inputs.variant.key(),
        "study_seed": inputs.study_seed,
        "pixels": about["pixels_sha256"],
        "table": about["table_sha256"],
        "masks": about["masks"]["sha256"] if inputs.prepared.target_masks is not None else None,
        "views": getattr(inputs.views, "sha256", None),
        "weights": inputs.weights.card.model_dump(mode="json"),
        "compute": inputs.compute.describe(),
        "code": code_hash(*CODE),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _feature_examples(
    inputs: Inputs, network: Network, rows: np.ndarray, validation: np.ndarray
) -> tuple[FeatureViews, FeatureImages]:
    views, prepared = inputs.views, inputs.prepared
    if not isinstance(views, StoredViews):
        raise TypeError("features are kept for kept views only")
    root, pixels = state_folder(), prepared.about["pixels_sha256"]
    of_views = FeatureStore(root, network, views.sha256, views.item_count, inputs.compute)
    of_images = FeatureStore(root, network, pixels, len(prepared.images), inputs.compute)
    return FeatureViews(views, rows, of_views), FeatureImages(prepared, validation, of_images)


def _fit_in_one_step(job: Job, report: Callable[[Epoch], None]) -> Fit:
    """Fit a head that needs no epochs, or leave an untrained one as it is; one line of history either way."""
    started = time.perf_counter()
    if job.strategy.fits_head:
        if not isinstance(job.train, FeatureViews):
            raise TypeError("a fitted head needs features")
        features, labels = job.train.all_views()
        job.network.head.cpu()
        fit_head(job.network.head, features, labels)
    job.network.to(job.compute.device).eval()
    job.loss.to(job.compute.device)
    epoch = Epoch(0, 0.0, *loss_and_score(job, job.train), *loss_and_score(job, job.validation))
    report(epoch)
    return Fit([epoch], 0, time.perf_counter() - started)


def _card(inputs: Inputs, network: Network) -> dict[str, Any]:
    prepared = inputs.prepared
    return {
        "variant": inputs.variant.name,
        "inputs": job_key(inputs),
        **inputs.variant.resolved(),
        "task": prepared.task,
        "classes": TASKS[prepared.task].outputs(prepared),
        "image_size": int(prepared.images.shape[1]),
        "channels": int(prepared.images.shape[-1]),
        "resize": prepared.about["resize"],
        "runs": [{"fold": fold, "seed": seed} for fold in range(prepared.folds) for seed in inputs.seeds],
        "weights": inputs.weights.card.model_dump(mode="json"),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "trainable_parameters": sum(p.numel() for p in network.parameters() if p.requires_grad),
        "multiply_adds": count_multiply_adds(network, int(prepared.images.shape[1])),
        "data": {key: prepared.about[key] for key in ("pixels_sha256", "table_sha256", "warnings")},
        "precision": inputs.compute.precision,
        "device": inputs.compute.device.type,
    }


def _cost(inputs: Inputs, network: Network, runs: dict[str, Any], seconds: float) -> dict[str, Any]:
    return {
        "train_seconds": sum(run["seconds"] for run in runs.values()),
        "stage_seconds": seconds,
        "seconds_an_image": _latency(inputs, network),
        "latency_batch": LATENCY_BATCH,
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "device": inputs.compute.name(),
        "threads": torch.get_num_threads(),
        "processors": cpu_count(),
        "torch": torch.__version__,
    }


def _latency(inputs: Inputs, network: Network) -> float:
    """Time predictions from packed pixels, in batches of 16: the median seconds an image of up to 5 repeats."""
    rows = np.resize(inputs.prepared.roles(0).validation, LATENCY_BATCH)
    pixels = to_channels_first(inputs.prepared.images[rows]).to(inputs.compute.device)
    times: list[float] = []
    network.eval()
    with torch.inference_mode(), inputs.compute.autocast():
        network(pixels)
        while len(times) < LATENCY_REPEATS and sum(times) < LATENCY_SECONDS:
            started = time.perf_counter()
            network(pixels).cpu()
            times.append(time.perf_counter() - started)
    return float(np.median(times)) / LATENCY_BATCH
