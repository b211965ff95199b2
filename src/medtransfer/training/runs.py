"""The runs of a variant, one per fold and seed: trained one by one, or all heads on cached features together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from medtransfer.training.search import Trial, Trials, rounds
from medtransfer.training.subsets import Run, training_rows
from medtransfer.util.compute import Compute, in_precision
from medtransfer.util.digests import module_digest
from medtransfer.util.errors import UserError
from medtransfer.util.files import sha256_of_json
from medtransfer.util.progress import notice

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
    inputs: Inputs, runs: Sequence[Run], checkpoints: Path, report: Report
) -> Iterator[tuple[Run, Job, Fit, list[Trial]]]:
    """Train every run; yield its best training, the network in eval mode, with all of its trials, in order.

    Of several trainings the best by what the strategy monitors is kept; seconds are those of all. `report` is called
    for every epoch of each. Raises `UserError` if a run diverged with all.
    """
    strategy = inputs.variant.strategy
    first = _Contest(inputs, runs[0])
    job = make_job(inputs, runs[0].fold, runs[0].seed, first.strategy(first.trials.proposals()[0]), notify=notice)
    if can_train_together(job, len(runs) * max(rounds(strategy))):
        contests = [first, *(_Contest(inputs, run) for run in runs[1:])]
        _train_together(contests, job, checkpoints, report)
        yield from (contest.outcome() for contest in contests)
        return
    for run in runs:
        contest = _Contest(inputs, run, checkpoints / f"{run.name}_trials.json")
        _train_one_by_one(contest, checkpoints, report)
        yield contest.outcome()


class _Contest:
    """The trials of one run, and the best of their trainings. frozen_seconds: see `Fit`."""

    def __init__(self, inputs: Inputs, run: Run, record: Path | None = None) -> None:
        self.inputs, self.run = inputs, run
        self.trials = Trials(inputs.variant.strategy, (run.seed, run.fold), record)
        self.best: tuple[Job, Fit] | None = None
        self.frozen_seconds = 0.0

    def strategy(self, values: dict[str, Any]) -> Strategy:
        """Return the strategy of a trial."""
        return self.inputs.variant.strategy.at(values | {"fraction": [self.run.fraction]})

    def job(self, values: dict[str, Any], bars: Sequence[float] = ()) -> Job:
        """Make the job of a trial."""
        return replace(make_job(self.inputs, self.run.fold, self.run.seed, self.strategy(values)), bars=bars)

    def add(self, values: dict[str, Any], job: Job, fit: Fit) -> bool:
        """Add a training; return whether it is the best so far."""
        if is_best := self.trials.add(Trial.of(values, job, fit)):
            self.best = job, fit
        return is_best

    def outcome(self) -> tuple[Run, Job, Fit, list[Trial]]:
        """Return the best training, with the seconds of all. Raises `UserError` if all diverged."""
        if self.best is None:
            raise TypeError("a run without trials")
        (job, fit), found = self.best, self.trials.found
        trains = job.strategy.train != "none" and not HEADS[job.strategy.head].fitted
        if trains and not math.isfinite(fit.epochs[fit.kept].validation_loss):
            raise UserError(
                f"{self.inputs.variant.name}: training diverged in epoch {len(fit.epochs)} at lr {job.strategy.lr:g} "
                f"(fold {job.fold}, seed {job.seed}): the validation loss is not finite; "
                "try a lower lr or a warm-up (schedule.warmup)"
            )
        seconds = sum(trial.seconds for trial in found)
        return self.run, job, replace(fit, seconds=seconds, frozen_seconds=self.frozen_seconds), found


def _train_together(contests: Sequence[_Contest], first: Job, checkpoints: Path, report: Report) -> None:
    """Train heads on cached features: all trials of a round of all runs at once."""
    models = [first, *(contest.job(contest.trials.proposals()[0]) for contest in contests[1:])]
    for number in itertools.count():
        entries: list[tuple[_Contest, dict[str, Any], Job]] = []
        for contest, model in zip(contests, models, strict=True):
            bars = contest.trials.bars()
            for values in contest.trials.proposals():
                strategy = contest.strategy(values)
                network = make_network(_with_strategy(contest.inputs, strategy), model.fold, model.seed)
                entries.append((contest, values, replace(model, strategy=strategy, network=network, bars=bars)))
        if not entries:
            break
        fits: dict[Job, Fit] = {}
        for place, group in enumerate(groups([job for _, _, job in entries])):
            checkpoint = Checkpoint(checkpoints, f"heads{number}_{place}")
            fits |= zip(group, fit_heads(group, checkpoint, report), strict=True)
        for contest, values, job in entries:
            contest.add(values, job, fits[job])
    for contest, model in zip(contests, models, strict=True):
        contest.frozen_seconds = 0.0 if model.embedder is None else model.embedder.seconds


def _train_one_by_one(contest: _Contest, checkpoints: Path, report: Report) -> None:
    """Train the trials of a run one after another; of the finished ones, only the best keeps its stored state."""
    trials = contest.trials

    def checkpoint(number: int) -> Checkpoint:
        return Checkpoint(checkpoints, f"{contest.run.name}_trial{number}")

    def train(number: int, job: Job) -> Fit:
        if HEADS[job.strategy.head].fitted or job.strategy.train == "none":
            found = _fit_in_one_step(job, report)
        else:
            found = fit(job, checkpoint(number), lambda epoch: report(job, epoch))
        contest.frozen_seconds += 0.0 if job.embedder is None else job.embedder.seconds
        return found

    while proposals := trials.proposals():
        bars = trials.bars()
        for values in proposals:
            number, before = len(trials.found), trials.best if trials.found else None
            job = contest.job(values, bars)
            is_best = contest.add(values, job, train(number, job))
            if before is not None:
                checkpoint(before if is_best else number).delete()
    if contest.best is None:  # it was finished before an interruption
        job = contest.job(trials.found[trials.best].values)
        contest.best = job, train(trials.best, job)


def _with_strategy(inputs: Inputs, strategy: Strategy) -> Inputs:
    return replace(inputs, variant=replace(inputs.variant, strategy=strategy))


def make_job(
    inputs: Inputs,
    fold: int,
    seed: int,
    strategy: Strategy | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> Job:
    """Build the network of a run and collect its rows.

    strategy: that of a trial; by default the first that is known in advance. notify: called with the reason if the
    outputs of frozen layers are not cached.
    """
    prepared, task = inputs.prepared, inputs.task
    if strategy is None:
        strategy = inputs.variant.strategy.at(next(iter(inputs.variant.strategy.grid), {}))
    inputs = _with_strategy(inputs, strategy)
    roles = prepared.roles(fold)
    rows = training_rows(prepared, roles.train, strategy, seed, fold)
    network = make_network(inputs, fold, seed)
    size = int(prepared.images.shape[1])
    embedder = None if task.per_pixel else embedder_of(network, size, inputs.compute, notify)
    if embedder is not None:
        # the views and images that all runs use at most; the rows of small runs may differ
        runs = prepared.folds * len(inputs.seeds) * len(inputs.variant.strategy.fractions)
        most = min(len(rows) * runs, len(prepared.learnable_rows))
        embedder.plan(most * views_used(strategy, inputs.views.count) + len(prepared.table), notify)
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


def views_used(strategy: Strategy, distinct: int | None) -> int:
    """Return how many views of an image training uses of that many distinct ones; None means one per epoch."""
    if strategy.train == "none":
        return 1
    views = distinct or strategy.epochs
    return views if HEADS[strategy.head].fitted else min(views, strategy.epochs)


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
