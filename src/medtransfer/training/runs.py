"""The runs of a variant, one per fold and seed: trained one by one, or all heads on cached features together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from medtransfer.augmentation.store import Views
from medtransfer.data.prepared import Prepared
from medtransfer.features.embedder import Embedder, embedder_of
from medtransfer.models.assemble import Weights, normalisation
from medtransfer.models.gradient_checkpointing import forget_activations
from medtransfer.models.heads import HEADS, Head
from medtransfer.models.low_rank import add_adapters
from medtransfer.models.network import Network
from medtransfer.study import Strategy, Variant
from medtransfer.training.batches import ImageExamples, ViewExamples
from medtransfer.training.checkpoint import Checkpoint
from medtransfer.training.heads_together import can_train_together, fit_heads, groups
from medtransfer.training.loop import Epoch, Fit, Job, fit, loss_and_score
from medtransfer.training.schedules import lowest
from medtransfer.util.compute import Compute, in_precision
from medtransfer.util.digests import module_digest
from medtransfer.util.errors import UserError
from medtransfer.util.files import sha256_of_json
from medtransfer.util.progress import notice
from medtransfer.util.seeds import generator

if TYPE_CHECKING:
    from medtransfer.tasks.task import Task

CODE = ("medtransfer.training.variant", "medtransfer.tasks", "medtransfer.augmentation.store")


@dataclass(frozen=True)
class Inputs:
    """The inputs of a variant's training."""

    variant: Variant
    task: Task
    prepared: Prepared
    views: Views
    weights: Weights
    compute: Compute
    seeds: list[int]
    study_seed: int


def job_key(inputs: Inputs) -> str:
    """Hash everything that determines a variant's runs besides their fold and seed."""
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
        "code": module_digest(*CODE),
    }
    return sha256_of_json(parts)[:32]


Report = Callable[[Job, Epoch], None]


def train_runs(
    inputs: Inputs, runs: Sequence[tuple[int, int]], checkpoints: Path, report: Report
) -> Iterator[tuple[Job, Fit]]:
    """Train the run of every (fold, seed); yield its job, with the network in eval mode, and its outcome, in order.

    Of several learning rates and features the best by what the strategy monitors are kept; seconds are those of all.
    `report` is called for every epoch of each. Raises `UserError` if a run diverged with all.
    """
    strategy = inputs.variant.strategy
    trains = strategy.train != "none" and not HEADS[strategy.head].fitted
    alternatives = strategy.alternatives
    tries = [(*run, each) for run in runs for each in alternatives]
    trained = _train_all(inputs, tries, checkpoints, report)
    for _ in runs:
        rivals = list(itertools.islice(trained, len(alternatives)))
        job, best = rivals[lowest([rival.monitored(result.epochs[result.kept]) for rival, result in rivals])]
        if trains and not math.isfinite(best.validation_loss):
            raise UserError(
                f"{inputs.variant.name}: training diverged in epoch {len(best.epochs)} at lr {job.strategy.lr:g} "
                f"(fold {job.fold}, seed {job.seed}): the validation loss is not finite; "
                "try a lower lr or a warm-up (schedule.warmup)"
            )
        frozen = sum(rival.embedder.seconds for rival, _ in rivals if rival.embedder is not None)
        yield job, replace(best, seconds=sum(result.seconds for _, result in rivals), frozen_seconds=frozen)


def _train_all(
    inputs: Inputs, tries: Sequence[tuple[int, int, Strategy]], checkpoints: Path, report: Report
) -> Iterator[tuple[Job, Fit]]:
    """Train every (fold, seed, strategy), one by one or all heads together; yield them in order."""
    first = make_job(inputs, *tries[0], notify=notice)
    if not can_train_together(first, len(tries)):
        for number, one in enumerate(tries):
            job = make_job(inputs, *one) if number else first
            yield job, _train_alone(job, Checkpoint(checkpoints, job.name), report)
        return
    jobs = [first, *(make_job(inputs, *one) for one in tries[1:])]
    results: dict[Job, Fit] = {}
    for group in groups(jobs):
        checkpoint = Checkpoint(checkpoints, f"heads_{group[0].name}")
        results |= zip(group, fit_heads(group, checkpoint, report), strict=True)
    for job in jobs:
        yield job, results[job]


def make_job(
    inputs: Inputs,
    fold: int,
    seed: int,
    alternative: Strategy | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> Job:
    """Build the network of a run and collect its rows.

    alternative: the one of the strategy's alternatives to train; None for the first. notify: called with the reason if
    the outputs of frozen layers are not cached.
    """
    prepared, task = inputs.prepared, inputs.task
    strategy = alternative or inputs.variant.strategy.alternatives[0]
    inputs = replace(inputs, variant=replace(inputs.variant, strategy=strategy))
    roles = prepared.roles(fold)
    rows = few_shots(prepared, roles.train, strategy.shots, seed, fold)
    network = make_network(inputs, fold, seed)
    embedder = (
        embedder_of(network, int(prepared.images.shape[1]), inputs.compute, notify) if task.flat_features else None
    )
    if embedder is not None:
        embedder.plan(_images_in_all(inputs, len(rows)), notify)
    balanced = prepared.table["label_index"].to_numpy()[rows] if strategy.sampler == "balanced" else None
    return Job(
        task,
        network,
        strategy,
        ViewExamples(inputs.views, rows, embedder),
        ImageExamples(prepared, roles.validation, embedder),
        task.loss(strategy.loss, prepared, rows),
        inputs.compute,
        fold,
        seed,
        embedder,
        balanced,
    )


def with_precision(inputs: Inputs, wanted: str) -> Inputs:
    """Choose the precision of a variant's runs; see `in_precision`."""
    if wanted == "float32":
        return inputs
    size, channels = inputs.prepared.images.shape[2:]
    return replace(inputs, compute=in_precision(inputs.compute, wanted, make_network(inputs, 0, 0), channels, size))


def make_network(inputs: Inputs, fold: int, seed: int) -> Network:
    """Build the network of a run, on its device."""
    prepared, task = inputs.prepared, inputs.task
    rows, size = prepared.roles(fold).train, int(prepared.images.shape[1])
    normalise = normalisation(inputs.variant, inputs.weights, prepared.images, rows)
    names = task.outputs(prepared)
    outputs = task.width(len(names), inputs.variant.strategy.loss)
    network = task.assemble(inputs.variant, inputs.weights, outputs, size, normalise, (seed, fold))
    add_adapters(network, inputs.variant.strategy, (seed, fold))
    if isinstance(network.head, Head):
        network.head.begin(inputs.variant, inputs.weights, names)
    if inputs.variant.strategy.gradient_checkpointing:
        forget_activations(network)
    if network.normalise.mean.device != inputs.compute.device:  # moving walks through every module
        network.to(inputs.compute.device)
    return network


def few_shots(prepared: Prepared, rows: np.ndarray, shots: int | None, seed: int, fold: int) -> np.ndarray:
    """Draw `shots` rows of each class, or all of a smaller class; None keeps every row."""
    if shots is None:
        return rows
    labels = prepared.table["label_index"].to_numpy()[rows]
    drawn = []
    for label in range(len(prepared.classes)):
        candidates = rows[labels == label]
        drawn.append(generator("shots", seed, fold, label).permutation(candidates)[:shots])
    return np.sort(np.concatenate(drawn))


def _images_in_all(inputs: Inputs, rows: int) -> int:
    """Return the number of views and images that all runs use at most; the rows of few-shot runs may differ."""
    prepared = inputs.prepared
    rows = min(rows * prepared.folds * len(inputs.seeds), len(prepared.learnable_rows))
    return rows * views_used(inputs.variant.strategy, inputs.views.count) + len(prepared.table)


def views_used(strategy: Strategy, distinct: int | None) -> int:
    """Return how many views of an image training uses of that many distinct ones; None means one per epoch."""
    if strategy.train == "none":
        return 1
    views = distinct or strategy.epochs
    return views if HEADS[strategy.head].fitted else min(views, strategy.epochs)


def _train_alone(job: Job, checkpoint: Checkpoint, report: Report) -> Fit:
    if HEADS[job.strategy.head].fitted or job.strategy.train == "none":
        return _fit_in_one_step(job, report)
    return fit(job, checkpoint, lambda epoch: report(job, epoch))


def _fit_in_one_step(job: Job, report: Report) -> Fit:
    """Fit a head that needs no epochs, or leave an untrained network unchanged; either way with one line of history."""
    started = job.clock()
    head = job.network.head
    if isinstance(head, Head) and head.fitted:
        if job.embedder is None:
            raise TypeError("a fitted head needs features")
        head.cpu()
        head.fit(*_all_views(job.train, job.embedder))
    job.network.to(job.compute.device).eval()
    job.loss.to(job.compute.device)
    epoch = Epoch(0, 0.0, *loss_and_score(job, job.train), *loss_and_score(job, job.validation))
    report(job, epoch)
    return Fit([epoch], 0, job.clock() - started)


def _all_views(examples: ViewExamples, embedder: Embedder) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the features [rows x views, width] and class numbers [rows x views] of every view."""
    features, labels = [], []
    for view in range(examples.views.count or 1):
        examples.start(view)
        batch = examples.batch(np.arange(len(examples)), view)
        features.append(embedder.features(batch.inputs))
        labels.append(batch.labels.argmax(dim=1))
    return torch.stack(features, dim=1).flatten(0, 1), torch.stack(labels, dim=1).flatten()
