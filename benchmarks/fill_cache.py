"""Measure the overhead around a network: filling the feature cache and training, compared with the bare network.

    python benchmarks/fill_cache.py          # on an idle machine; writes benchmarks/results/fill_cache.md
    python benchmarks/fill_cache.py quick    # few images, as a smoke test

`bare` is plain torch on normalised tensors in memory, in batches of 32, with the project's memory format and precision.
`project` is the whole call: from packed pixels on disk to activations on disk, and an epoch from packed views to
updated weights. Both alternate; throughput is computed from medians. Each is measured in float32, and in bfloat16 if
`training.precision: auto` chooses it.
"""

from __future__ import annotations

import shutil
import sys
from functools import partial

import numpy as np
import torch
from torch import nn
from workload import (
    about,
    compute,
    drawn,
    first_rows,
    inputs_of,
    medians,
    part_of,
    policy_of,
    prepared_set,
    publish,
    scratch,
    weights_of,
)

from medtransfer.data.prepared import Prepared
from medtransfer.models.network import to_channels_first
from medtransfer.training.loop import Job, Step, train_epoch
from medtransfer.training.optimizers import build_optimizer
from medtransfer.training.runs import Inputs, make_job, with_precision
from medtransfer.util.places import state_folder
from medtransfer.util.text import markdown_table

MODELS = {"mobilenet_v3_small": (640, 256), "resnet18": (320, 128)}
"""Numbers of images for the forward pass and for training."""

FASTER = {"cpu": (1, 1), "mps": (2, 2), "cuda": (16, 4)}
"""Factors on those numbers for each type of device; images repeat if the set has too few."""

BATCH, REPEATS = 32, 7


def batches_of(job: Job, prepared: Prepared, rows: np.ndarray) -> list[torch.Tensor]:
    """Return normalised batches in the memory of the device."""
    starts = range(0, len(rows), BATCH)
    pixels = [to_channels_first(prepared.images[rows[start : start + BATCH]]) for start in starts]
    return [job.network.normalise(batch.to(job.compute.device)) for batch in pixels]


def bare_forward(job: Job, batches: list[torch.Tensor]) -> None:
    """Run the body on every batch."""
    with torch.inference_mode(), job.compute.autocast():
        for batch in batches:
            job.network.body(batch)
    finish()


def fill(job: Job, prepared: Prepared, rows: np.ndarray) -> None:
    """Empty the cache and fill it."""
    assert job.embedder is not None
    shutil.rmtree(state_folder() / "features", ignore_errors=True)
    job.embedder.open(prepared.pixels, rows)


def bare_steps(
    job: Job, batches: list[torch.Tensor], labels: list[torch.Tensor], optimizer: torch.optim.Optimizer
) -> None:
    """Train the whole network on every batch."""
    job.network.train()
    for batch, wanted in zip(batches, labels, strict=True):
        optimizer.zero_grad(set_to_none=True)
        with job.compute.autocast():
            loss = nn.functional.cross_entropy(job.network.head(job.network.body(batch)), wanted)
        loss.backward()
        optimizer.step()
    finish()


def finish() -> None:
    """Wait until a GPU has finished."""
    if compute().device.type == "cuda":
        torch.cuda.synchronize()


def filling(inputs: Inputs, images: int, repeats: int) -> tuple[float, float]:
    """Return the images per second of the bare forward pass and of filling the cache."""
    job, prepared = make_job(inputs, 0, 0), inputs.prepared
    rows = np.arange(len(prepared.table))[: images * FASTER[job.compute.device.type][0]]
    batches = batches_of(job, prepared, rows)
    times = medians(repeats, bare=partial(bare_forward, job, batches), whole=partial(fill, job, prepared, rows))
    return len(rows) / times["bare"], len(rows) / times["whole"]


def training(inputs: Inputs, images: int, repeats: int) -> tuple[float, float]:
    """Return the images per second of bare steps and of an epoch."""
    job, prepared = make_job(inputs, 0, 0), inputs.prepared
    job.loss.to(compute().device)
    job.train = job.train.of(prepared.roles(0).train[: images * FASTER[job.compute.device.type][1]])
    labels = torch.from_numpy(prepared.table["label_index"].to_numpy(copy=True))[job.train.rows].to(compute().device)
    optimizer = build_optimizer(job.network, job.strategy)
    bare = partial(bare_steps, job, batches_of(job, prepared, job.train.rows), list(labels.split(BATCH)), optimizer)
    step = Step(job)
    times = medians(repeats, bare=bare, whole=lambda: train_epoch(job, step, optimizer, 0))
    return len(labels) / times["bare"], len(labels) / times["whole"]


def rows_of(whole: Prepared, quick: bool) -> np.ndarray:
    """Choose the rows of the set, repeated if the device needs more."""
    if quick:
        return first_rows(whole, 64, 32, 0)
    most = max(images for images, _ in MODELS.values()) * FASTER[compute().device.type][0]
    return np.resize(np.arange(len(whole.table)), max(most, len(whole.table)))


def main(quick: bool) -> None:
    """Measure both on each backbone and publish."""
    rows, policy = [], policy_of(1)
    with scratch() as folder:
        whole = prepared_set(folder / "set")
        prepared = part_of(whole, folder / "part", rows_of(whole, quick))
        views = drawn(prepared, policy, folder / "views")
        for model, counts in MODELS.items():
            weights = weights_of(model, folder / "weights")
            for measure, count, train in ((filling, counts[0], "head"), (training, counts[1], "all")):
                exact = inputs_of(prepared, views, policy, weights, [0], train=train)
                faster = with_precision(exact, "auto")
                for inputs in [exact] if faster.compute == exact.compute else [exact, faster]:
                    bare, mine = measure(inputs, count, 2 if quick else REPEATS)
                    name = f"{measure.__name__}, {model}, {inputs.compute.precision}"
                    rows.append([name, f"{bare:,.0f}", f"{mine:,.0f}", f"{mine / bare:.1%}"])
        table = markdown_table(["Images per second", "bare", "project", "ratio"], rows)
        publish("fill_cache", table, about(whole), keep=not quick)


if __name__ == "__main__":
    main(sys.argv[1:] == ["quick"])
