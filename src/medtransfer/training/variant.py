"""The training of a variant: all its runs, and the files written from them: models, card, history and cost."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from medtransfer.models.low_rank import merge_adapters
from medtransfer.models.network import Network, count_multiply_adds
from medtransfer.training.loop import Epoch, Job
from medtransfer.training.model_files import CARD, HISTORY, TRIALS, save_run
from medtransfer.training.prediction import predict_batches
from medtransfer.training.runs import Inputs, job_key, train_runs
from medtransfer.training.search import Trial, best_trial, trial_rows
from medtransfer.training.subsets import Run, runs_of
from medtransfer.util.compute import Compute
from medtransfer.util.digests import module_digest
from medtransfer.util.files import atomic_folder, measured, write_json
from medtransfer.util.hardware import cpu_count, peak_memory_mb
from medtransfer.util.places import state_folder
from medtransfer.util.progress import progress

LATENCY_BATCH, SECONDS, REPEATS = 16, 1.0, 5


def running_cost(network: Network, image_size: int, channels: int, compute: Compute) -> dict[str, Any]:
    """Measure the cost of prediction on the network's device; cached by its structure and all that affects speed.

    Returns the `multiply_adds` of one image, and the `seconds_an_image` in a batch of 16.
    """
    shapes = [tuple(tensor.shape) for tensor in network.state_dict().values()]
    about = {"network": f"{network}{shapes}", "pixels": [channels, image_size], **compute.describe()}
    about["code"] = module_digest("medtransfer.models.assemble")

    def measure() -> dict[str, Any]:
        pixels = torch.zeros(LATENCY_BATCH, channels, image_size, image_size, dtype=torch.uint8, device=compute.device)
        multiply_adds = count_multiply_adds(network, image_size)
        return {"multiply_adds": multiply_adds, "seconds_an_image": _latency(network, pixels, compute)}

    return measured("costs", about, measure)


def _latency(network: Network, pixels: torch.Tensor, compute: Compute) -> float:
    """Return the median seconds per image of up to 5 predictions."""
    times: list[float] = []
    network.eval()
    with torch.inference_mode(), compute.autocast():
        network(pixels)
        while len(times) < REPEATS and sum(times) < SECONDS:
            started = time.perf_counter()
            network(pixels).cpu()
            times.append(time.perf_counter() - started)
    return float(np.median(times)) / LATENCY_BATCH


Report = Callable[[int, int, Epoch], None]


def train_variant(inputs: Inputs, folder: Path, cost_path: Path, report: Report) -> None:
    """Train every (fold, seed) of a variant and write `folder` and the cost file.

    `report` is called with (fold, seed, epoch), with a search only for the best training, at the end of each run; not
    for trainings on fewer images. An interrupted call resumes if the variant, the data, the weights and the code are
    the same.
    """
    checkpoints = state_folder() / "checkpoints" / job_key(inputs)
    score = inputs.task.score
    history: list[dict[str, Any]] = []
    abouts: list[dict[str, Any]] = []
    trials: list[dict[str, Any]] = []
    cost: dict[str, Any] = {"runs": {}, "frozen_seconds": 0.0}
    started = time.perf_counter()
    strategy = inputs.variant.strategy
    runs = runs_of(strategy, inputs.prepared.folds, inputs.seeds)
    bar = progress(len(runs) * strategy.trials * strategy.epochs, f"train {inputs.variant.name}", "epoch")

    def follow(job: Job, epoch: Epoch) -> None:
        bar.update()
        bar.set_postfix({"loss": f"{epoch.validation_loss:.3f}", score: f"{epoch.validation_score:.3f}"})
        if strategy.trials == 1 and job.strategy.fractions[-1] == strategy.fractions[-1]:
            report(job.fold, job.seed, epoch)

    with bar, atomic_folder(folder) as target:
        for run, job, result, found in train_runs(inputs, runs, checkpoints, follow):
            trained = sum(p.numel() for p in job.network.parameters() if p.requires_grad)
            merge_adapters(job.network)
            validation = partial(predict_batches, job.run, job.validation, job.compute)
            inputs.task.finish(job.network, job.loss, validation)
            save_run(target, job.network, inputs.weights, run.name)
            cost["frozen_seconds"] += result.frozen_seconds
            cost["runs"][run.name] = {"seconds": result.seconds, "kept_epoch": result.kept}
            abouts.append(_about(run, job, found))
            trials += trial_rows(run, found)
            if not run.is_largest:
                continue
            for epoch in result.epochs if strategy.trials > 1 else ():
                report(run.fold, run.seed, epoch)
            history += [{"fold": run.fold, "seed": run.seed, **epoch.named(score)} for epoch in result.epochs]
        pd.DataFrame(history).to_csv(target / HISTORY, index=False)
        if strategy.trials > 1:
            pd.DataFrame(trials).to_csv(target / TRIALS, index=False)
        size, channels = inputs.prepared.images.shape[2:]
        running = running_cost(job.network, size, channels, inputs.compute)
        write_json(target / CARD, _card(inputs, job.network, running, abouts, trained))
    cost |= _cost(inputs, running, cost["runs"], time.perf_counter() - started)
    write_json(cost_path, cost)
    shutil.rmtree(checkpoints, ignore_errors=True)


def _card(
    inputs: Inputs, network: Network, running: dict[str, Any], abouts: list[dict[str, Any]], trained: int
) -> dict[str, Any]:
    prepared = inputs.prepared
    of_table = [about for about in abouts if "fraction" not in about]
    smaller = [about for about in abouts if "fraction" in about]
    return {
        "variant": inputs.variant.name,
        "inputs": job_key(inputs),
        **inputs.variant.resolved(),
        "task": prepared.task,
        "classes": inputs.task.outputs(prepared),
        "image_size": int(prepared.images.shape[1]),
        "channels": int(prepared.images.shape[-1]),
        "resize": prepared.about["resize"],
        "runs": of_table,
        **({"smaller_runs": smaller} if smaller else {}),
        "weights": inputs.weights.card.model_dump(mode="json"),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "trainable_parameters": trained,
        "multiply_adds": running["multiply_adds"],
        "study_seed": inputs.study_seed,
        "data": {key: prepared.about[key] for key in ("pixels_sha256", "table_sha256", "warnings")},
        "precision": inputs.compute.precision,
        "device": inputs.compute.device.type,
    }


def _about(run: Run, job: Job, found: list[Trial]) -> dict[str, Any]:
    """Describe a run for the card: the cost of its best training, and its number of images."""
    about: dict[str, Any] = {"fold": run.fold, "seed": run.seed, "lr": job.strategy.lr}
    if not run.is_largest:
        about["fraction"] = run.fraction
    if job.strategy.features is not None:
        about["features"] = job.strategy.features.model_dump()
    if len(found) > 1:
        about["values"] = found[best_trial(found)].values
    return about | {"images": len(job.train)}


def _cost(inputs: Inputs, running: dict[str, Any], runs: dict[str, Any], seconds: float) -> dict[str, Any]:
    return {
        "train_seconds": sum(run["seconds"] for run in runs.values()),
        "stage_seconds": seconds,
        "seconds_an_image": running["seconds_an_image"],
        "latency_batch": LATENCY_BATCH,
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "device": inputs.compute.name(),
        "threads": torch.get_num_threads(),
        "processors": cpu_count(),
        "torch": torch.__version__,
    }
